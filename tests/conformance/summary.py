"""The result of a run, by profile and feature, as the suite's own reports count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from conformance.data import cases, feature_rows
from conformance.page import features as features_written

WORDS = {
    "passed": "passes",
    "xfailed": "does not pass yet",
    "failed": "fails",
    "skipped": "skipped",
}
ABOUT = Path(__file__).with_name("about.md")

Results = Mapping[str, tuple[str, str]]
"""By short name: the outcome, and why."""


def lines(results: Results) -> list[str]:
    """What is printed: a line for each profile, and one for all."""
    table = [
        f"{profile:13} {_passed(results, names)}/{len(names)} tests,"
        f" features {_features(results, profile)[0]}/{_features(results, profile)[1]}"
        for profile, names in _profiles().items()
    ]
    rows = feature_rows()
    done = sum(_feature_done(results, profile, feature) for profile, feature in rows)
    passed = _passed(results, results)
    return [*table, f"conformance: {passed}/{len(cases())} tests, features {done}/{len(rows)}"]


def document(results: Results) -> str:
    """docs/conformance.md."""
    profiles = "\n".join(_profile_row(results, profile) for profile in _profiles())
    tests = "\n".join(
        f"| {name} | {WORDS.get(outcome, outcome)} | {why} |"
        for name, (outcome, why) in sorted(results.items())
    )
    features = "\n".join(
        f"| {feature} | {profile} | {_shown_by(results, profile, feature)} | {_own(feature)} |"
        for profile, feature in feature_rows()
    )
    total = lines(results)[-1]
    shown = "| feature | profile | replayed | own tests |\n|---|---|---|---|"
    head = "| profile | core tests | extended tests | features |\n|---|---|---|---|"
    return (
        f"{ABOUT.read_text()}\n## Result\n\n`{total}`\n\n{head}\n{profiles}\n"
        f"\n## Tests\n\n| test | | why |\n|---|---|---|\n{tests}\n"
        f"\n## Features\n\n{shown}\n{features}\n"
    )


def _own(feature: str) -> int:
    """How many tests of our own show a feature; docs/gateway-api.md names them."""
    return len(features_written()[feature].tests)


def _profile_row(results: Results, profile: str) -> str:
    levels = {
        level: [name for name, case in cases().items() if case["profiles"].get(profile) == level]
        for level in ("core", "extended")
    }
    shown = " | ".join(f"{_passed(results, names)}/{len(names)}" for names in levels.values())
    done, known = _features(results, profile)
    return f"| {profile} | {shown} | {done}/{known} |"


def _profiles() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {profile: [] for profile, _ in feature_rows()}
    for name, case in cases().items():
        for profile in case["profiles"]:
            found[profile].append(name)
    return found


def _passed(results: Results, names: Iterable[str]) -> int:
    return sum(results.get(name, ("", ""))[0] == "passed" for name in names)


def _features(results: Results, profile: str) -> tuple[int, int]:
    features = [feature for each, feature in feature_rows() if each == profile]
    return sum(_feature_done(results, profile, each) for each in features), len(features)


def _tests_of(profile: str, feature: str) -> list[str]:
    """Those that count for a profile; where there are none, those that need the feature at all."""
    needing = [name for name, case in cases().items() if feature in case["features"]]
    return [name for name in needing if profile in cases()[name]["profiles"]] or needing


def _feature_done(results: Results, profile: str, feature: str) -> bool:
    """A feature is there when it has a test and none that fails; core ones need all of theirs."""
    names = _tests_of(profile, feature)
    return bool(names) and _passed(results, names) == len(names)


def _shown_by(results: Results, profile: str, feature: str) -> str:
    names = _tests_of(profile, feature)
    return f"{_passed(results, names)}/{len(names)}" if names else "no test at hand"
