"""Expected files: compared as far as they go, and rewritten when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def selected(expected: Any, actual: Any) -> Any:
    """The part of `actual` that `expected` speaks of: its keys, at every level of maps.

    A key whose expected value is null must be absent.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {
            key: selected(value, actual[key]) if key in actual else None
            for key, value in expected.items()
        }
    return actual


def as_yaml(value: Any) -> str:
    """A value as the expected files have it."""
    return yaml.safe_dump(value, sort_keys=False, width=100, allow_unicode=True)


def update(folder: Path, actual: dict[str, Any]) -> None:
    """Rewrite the expected files that there are; an empty one gets everything."""
    for path in sorted((folder / "expected").glob("*.yaml")):
        expected = yaml.safe_load(path.read_text())
        found = actual[path.stem]
        path.write_text(as_yaml(found if expected is None else selected(expected, found)))
