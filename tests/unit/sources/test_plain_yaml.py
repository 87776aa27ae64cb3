"""The fast parser says what the exact one says, or nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from serai.sources.documents import decode_text, split
from serai.sources.plain_yaml import parse_plain_yaml
from serai.sources.yaml import parse_yaml

REPOSITORY = Path(__file__).parents[3]
MUTANTS = 20_000
SPOILERS = " \n\n:-#,[]{}'\"&*!|>%@`~?=+._0123456789eExabyYnN\\<"


def _corpus() -> list[str]:
    """Manifests as kubectl would print them."""
    values = (parse_yaml(text).value for text in _written())
    return [yaml.safe_dump(value) for value in values if isinstance(value, dict)]


def _written() -> list[str]:
    files = [
        file
        for root in ("tests/cases", "deploy", "src/serai/app/demo")
        for file in sorted((REPOSITORY / root).rglob("*.yaml"))
        if "expected" not in file.parts
    ]
    return list(dict.fromkeys(text for file in files for text in _documents(file)))


def _documents(file: Path) -> list[str]:
    return [document.text for document in split(decode_text(file.read_bytes()))]


def _spoilt(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        until = at + chance.choice((0, 1, 2, 3))
        text = text[:at] + chance.choice(("", chance.choice(SPOILERS))) + text[until:]
    return text


def _differs(text: str) -> bool:
    found = parse_plain_yaml(text)
    return found is not None and repr(found) != repr(parse_yaml(text))


def test_says_what_the_exact_parser_says_of_every_manifest_here() -> None:
    assert [text for text in _written() if _differs(text)] == []
    corpus = _corpus()
    assert [text for text in corpus if _differs(text)] == []
    served = sum(parse_plain_yaml(text) is not None for text in corpus)
    assert served > len(corpus) / 2


def test_says_what_the_exact_parser_says_of_spoilt_manifests() -> None:
    chance = random.Random(0)
    corpus = [text for text in _corpus() if len(text) < 1_500]
    spoilt = (_spoilt(chance.choice(corpus), chance) for _ in range(MUTANTS))
    assert [text for text in spoilt if _differs(text)] == []


AMBIGUOUS = (
    *("yes", "On", "~", "010", "1_000", "0x1F", "1.0", "1e3", "12:30", "2020-01-01", ".inf", "+1"),
    *("&a b", "*a", "!!str 1", "|", "[1, {a: [b]}]", "{a: b,", "a\tb", "=", "_1", "True", "?a"),
)


@pytest.mark.parametrize("value", AMBIGUOUS)
def test_leaves_alone_what_could_mean_two_things(value: str) -> None:
    assert parse_plain_yaml(f"spec:\n  field: {value}\n") is None


@pytest.mark.parametrize("key", ["80", "true", "null", "{a: b}", "<<", "yes", "&a b"])
def test_leaves_alone_keys_that_are_no_plain_words(key: str) -> None:
    assert parse_plain_yaml(f"spec:\n  {key}: x\n") is None


def test_leaves_faults_to_the_parser_that_knows_their_lines() -> None:
    assert parse_plain_yaml("a: 1\nb: 2\na: 3\n") is None
    assert parse_plain_yaml("a: 'b\n") is None
