"""Who may name a service by its host: exportTo says it, and to others a grant may."""

from __future__ import annotations

import pytest

from serai.api.meta import Key
from serai.model.service import Resolution, Service, Written


@pytest.mark.parametrize(
    ("exported_to", "own", "other"),
    [
        (("*",), True, True),
        ((".",), True, None),
        (("other",), False, True),
        (("~",), False, None),
    ],
)
def test_a_grant_is_asked_for_by_strangers_alone(
    exported_to: tuple[str, ...],
    own: bool,  # noqa: FBT001
    other: bool | None,  # noqa: FBT001
) -> None:
    key = Key("ServiceEntry", "shop", "partner")
    found = Service(
        key, ("a.example",), (), (), Resolution.KNOWN, Written(), exported_to=exported_to
    )

    assert (found.admits("shop"), found.admits("other")) == (own, other)
