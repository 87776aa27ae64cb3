"""Which version of an object is in force when several places, or none, have a usable one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from serai.api.meta import Key, Object
from serai.api.problem import Place, Problem


class Version(msgspec.Struct, frozen=True, gc=False):
    """An object as it is in one place."""

    place: Place
    object: Object


def choose(
    versions: Sequence[Version], in_force: Version | None, claimed: frozenset[str]
) -> Version | None:
    """The version to be in force now; None if the object is gone.

    *versions* are those that can be used, in order of their places; *claimed* are the files that
    may hold the object, though not in a form that can be used.  What is in force stays as long as
    it is anywhere, or its own file claims it; then its own file's version comes first, then the
    first; and with no version at all it stays as long as any file claims it.
    """
    if in_force is None:
        return versions[0] if versions else None
    equal = [version for version in versions if version.object == in_force.object]
    own = [version for version in versions if version.place.file == in_force.place.file]
    if equal:
        return next((version for version in equal if version in own), equal[0])
    if in_force.place.file in claimed and not own:
        return in_force
    if own or versions:
        return (own or list(versions))[0]
    return in_force if claimed else None


def conflicts(key: Key, versions: Sequence[Version], chosen: Version) -> Iterator[Problem]:
    """The problems of an object that is in several places: a warning where they are alike."""
    for version in versions:
        if version.place == chosen.place:
            continue
        if version.object == chosen.object:
            message = f"{key} is also in {chosen.place}, with the same content; one is enough"
            yield _problem("SER0013", message, key, version.place, warning=True)
        else:
            message = (
                f"{key} is also in {chosen.place}, with different content; that one stays in force"
                " and this one is not used"
            )
            yield _problem("SER0003", message, key, version.place, warning=False)


def _problem(code: str, message: str, key: Key, place: Place, *, warning: bool) -> Problem:
    severity = "warning" if warning else "error"
    remedy = "Remove one of the two."
    return Problem(code, severity, message, remedy, key=key, path="metadata.name", place=place)  # type: ignore[arg-type]  # a Literal
