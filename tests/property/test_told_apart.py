"""Which hosts a connection is misdirected for, with only those names written that matter."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import example, given
from hypothesis import strategies as st

from serai.attach.hostnames import ANY, covers, specificity
from serai.translate.gateway_tls import MOST_APART, by_wider, told_apart

LABELS = st.sampled_from(["a", "b"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.one_of(st.just(ANY), NAMES, NAMES.map(lambda name: f"*.{name}"))


def meant(patterns: set[str], host: str) -> str | None:
    """The most specific pattern that covers a host."""
    return max((each for each in patterns if covers(each, host)), key=specificity, default=None)


def beside(own: str, patterns: Collection[str]) -> tuple[str, ...]:
    """What is written beside a listener's own host."""
    found = by_wider(patterns)
    return told_apart(own, found.get("", ()), found.get(own, ()))


@given(st.sets(PATTERNS, min_size=1, max_size=12), st.data())
def test_every_host_is_judged_as_if_all_were_written(
    patterns: set[str], data: st.DataObject
) -> None:
    own = data.draw(st.sampled_from(sorted(patterns)))
    host = data.draw(NAMES)
    whole = meant(patterns, host)
    written = meant({*beside(own, patterns), own}, host)
    assert (whole is None) == (written is None)
    assert (whole == own) == (written == own)


@given(st.sets(NAMES, min_size=2, max_size=12))
@example({f"h{number}" for number in range(1000)})
def test_beside_a_wider_listener_a_name_needs_no_other(names: set[str]) -> None:
    own = min(names)
    assert beside(own, {*names, ANY}) == (ANY,)
    assert set(beside(ANY, {*names, ANY})) == names
    below = {f"{name}.example" for name in names}
    assert beside(f"{own}.example", {*below, "*.example"}) == ("*.example",)


@given(st.lists(NAMES, min_size=1, max_size=8, unique=True))
def test_what_is_written_grows_with_the_listeners(names: list[str]) -> None:
    patterns = [*names, ANY]
    written = sum(len(beside(each, patterns)) for each in patterns)
    assert written <= 2 * len(patterns)


def test_of_very_many_hosts_none_is_written_but_those_below_its_own() -> None:
    names = {f"h{number}.example" for number in range(MOST_APART)} | {"*.own.example"}
    below = {"a.own.example", "b.own.example"}
    assert beside("*.own.example", names | below) == (ANY, "a.own.example", "b.own.example")
    assert beside("h1.example", names | below) == (ANY,)
    assert len(beside("h1.example", names - {"*.own.example"})) == MOST_APART - 1
