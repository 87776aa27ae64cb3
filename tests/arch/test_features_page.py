"""What is claimed of the Gateway API, what is written about it, and what shows it are the same."""

from __future__ import annotations

import pytest

from conformance.data import ABSENT, FEATURES, REPOSITORY, feature_rows
from conformance.page import Row, features
from serai.status.features import GATEWAY_FEATURES, MESH_FEATURES

ROWS = list(features().values())


def test_what_is_claimed_is_what_the_page_has() -> None:
    assert sorted(features()) == sorted((*GATEWAY_FEATURES, *MESH_FEATURES))


def test_claims_are_sorted_and_not_more_than_the_api_takes() -> None:
    assert list(GATEWAY_FEATURES) == sorted(set(GATEWAY_FEATURES))
    assert list(MESH_FEATURES) == sorted(set(MESH_FEATURES))
    assert len(GATEWAY_FEATURES) <= 64


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.feature)
def test_each_feature_is_somewhere_and_shown_by_a_test(row: Row) -> None:
    assert row.where and row.tests
    missing = [each for each in row.where if not (REPOSITORY / "src" / "serai" / each).is_file()]
    assert not missing
    for each in row.tests:
        path = REPOSITORY / "tests" / each
        if each.startswith("cases/"):
            assert (path / "input.yaml").is_file(), each
            assert (path / "requests.yaml").is_file() or (path / "expected").is_dir(), each
        else:
            assert path.is_file() and path.name.startswith("test_"), each


@pytest.mark.skipif(not FEATURES.is_file(), reason=ABSENT)
def test_the_page_has_the_features_and_profiles_of_the_suite() -> None:
    written = {(profile, row.feature) for row in ROWS for profile in row.profiles}
    assert written == set(feature_rows())
