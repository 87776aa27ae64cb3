"""Of what msgspec finds sound the walk in Python has nothing to say."""

from random import Random
from typing import Any

import pytest

from serai.api import kinds
from serai.api.fields import Entries, Fields, Items, Node, Scalar, fields_of
from serai.api.fields_check import Findings
from serai.api.fields_sound import is_sound

ODD: tuple[Any, ...] = (
    "x",
    "",
    "5",
    7,
    2.5,
    80.0,
    True,
    [],
    {},
    ["x"],
    {"x": "y"},
    [{}],
    {"x": None},
    None,
)
ODDITIES = (0, 0, 0.002, 0.02)
"""How often a value is an odd one."""
LEVELS = 5


def scalar(random: Random, node: Scalar) -> Any:
    if node.choices:
        return random.choice(node.choices)
    values = {str: "x", int: 7, float: 2.5, bool: True}
    return values[random.choice(sorted(node.types, key=str))]


def value(random: Random, node: Node, odd: float, levels: int = LEVELS) -> Any:
    """A value of a node, by and large."""
    if random.random() < odd:
        return random.choice(ODD)
    match node:
        case Scalar():
            return scalar(random, node)
        case Items(item=item):
            few = range(random.randint(0, 2) if levels > 0 else 0)
            return [value(random, item, odd, levels - 1) for _ in few]
        case Entries(value=below):
            few = range(random.randint(0, 2) if levels > 0 else 0)
            return {f"k{each}": value(random, below, odd, levels - 1) for each in few}
        case Fields():
            return fields(random, node, odd, levels)
    return random.choice(ODD[:-1])


def fields(random: Random, node: Fields, odd: float, levels: int) -> dict[str, Any]:
    wanted = [
        name
        for name, field in node.fields.items()
        if name in node.required
        or (levels > 0 and random.random() < 0.3 and (not field.ignored or random.random() < odd))
    ]
    found = {name: value(random, node.fields[name].node, odd, levels - 1) for name in wanted}
    if random.random() < odd:
        found["unheardOf"] = random.choice(ODD)
    if found and random.random() < odd:
        del found[random.choice(sorted(found))]
    return found


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_what_is_found_sound_has_no_fault(kind: kinds.Kind) -> None:
    node = fields_of(kind.struct)
    said = []
    for seed in range(120):
        random = Random(f"{kind.name} {seed}")
        raw = value(random, node, ODDITIES[seed % len(ODDITIES)])
        findings = Findings(kind.name)
        findings.check(raw, node, "")
        sound = not findings.problems and not findings.nulls
        found = is_sound(raw, kind.struct)
        assert found <= sound, (raw, findings.problems)
        said.append((found, sound))
    assert said.count((False, True)) <= said.count((True, True)), "it mostly answers"


def test_sound_objects_are_found_sound_and_others_are_not() -> None:
    kind = kinds.by_kind("HTTPRoute")
    assert kind is not None
    sound = {"metadata": {"name": "x"}, "spec": {"hostnames": ["a.example"]}}
    assert is_sound(sound, kind.struct)
    assert not is_sound({**sound, "spec": {"hostname": ["a.example"]}}, kind.struct)
    assert not is_sound({**sound, "spec": {"hostnames": [7]}}, kind.struct)
    assert not is_sound({**sound, "spec": {"hostnames": None}}, kind.struct)
