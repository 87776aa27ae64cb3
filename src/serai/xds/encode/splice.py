"""Messages that are alike but for some texts, encoded once for all of them.

From one service to the next mostly names differ.  Texts of other content and the same length leave
all else of a message as it is.  So what stands around them is taken from a message that the encoder
made with marks in their places, and nothing has to know how messages are written.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import TypeVar

S = TypeVar("S", bound=Hashable)
Encode = Callable[[S, tuple[str, ...]], bytes]

KEPT = 4096
"""What stands around texts, for so many shapes and lengths; some 300 bytes each."""


class _Kind:
    """Messages of one shape with texts of some lengths."""

    __slots__ = ("around", "met")

    def __init__(self) -> None:
        self.met = 0
        """How often; of many that change there is no other, and nothing is gained by a template."""
        self.around: bytes | None = None
        """What stands before, between and after the texts, with ``%b`` in their places."""


def spliced(encode: Encode[S], shape: S, texts: tuple[str, ...]) -> bytes:
    """What `encode` makes of a shape and texts.

    It must put each text in as it is, once, in this order, and look at nothing else but the shape.
    """
    raw = tuple([text.encode() for text in texts])
    lengths = tuple(map(len, raw))
    kind = _kind(encode, shape, lengths)
    kind.met += 1
    if kind.met == 2:  # noqa: PLR2004
        kind.around = _around(encode, shape, lengths)
    return encode(shape, texts) if kind.around is None else kind.around % raw


@lru_cache(KEPT)
def _kind(encode: Encode[S], shape: S, lengths: tuple[int, ...]) -> _Kind:  # noqa: ARG001
    return _Kind()


def forget() -> None:
    """Begin anew."""
    _kind.cache_clear()


def _around(encode: Encode[S], shape: S, lengths: tuple[int, ...]) -> bytes | None:
    """None where it is not sure."""
    if not all(lengths):
        return None
    marks, others = _marks(lengths, "zyxwv"), _marks(lengths, "56789")
    rest, found = encode(shape, marks), list[bytes]()
    for mark in marks:
        before, _, rest = rest.partition(mark.encode())
        found.append(before)
    around = b"%b".join(each.replace(b"%", b"%%") for each in (*found, rest))
    same = around % tuple(each.encode() for each in others) == encode(shape, others)
    return around if same else None


def _marks(lengths: tuple[int, ...], letters: str) -> tuple[str, ...]:
    return tuple(letter * length for letter, length in zip(letters, lengths, strict=False))
