"""Searching encoded bytes for identifiers: what is searched, and in what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from airlock.identity.spellings import Spelling

SMALL_BYTES = 4096
"""Above this, a few encoded characters in a row may be chance."""


def together_in_bytes(values: Sequence[bytes]) -> Iterator[bytes]:
    """Yield short encoded values as a few longer ones that hold every identifier that one of them holds.

    A line feed is neither letter, digit nor printable, as what is beside a value is: all that is searched in bytes ends
    there. Of what is longer than a small value, fewer signs of names are believed.
    """
    size, first = 0, 0
    for number, value in enumerate(values):
        size += len(value) + 1
        if size > SMALL_BYTES and number > first:
            yield b"\n".join(values[first:number])
            first, size = number, len(value) + 1
    if first < len(values):
        yield b"\n".join(values[first:])


def binary(spellings: Iterable[Spelling]) -> list[tuple[bytes, Spelling]]:
    """Return the spellings that are searched in binary data, with what any match of them holds."""
    searched = (s for s in spellings if s.strong and not s.free_only and s.pattern.isascii())
    return [((s.key[:1] if s.gapped else s.key).encode(), s) for s in searched]


def alternatives(literals: list[bytes]) -> re.Pattern[bytes] | None:
    """Return what finds any of these bytes."""
    return re.compile(b"|".join(map(re.escape, literals))) if literals else None
