"""Where a comparison is, and what it remembers of earlier objects."""

from __future__ import annotations

from dataclasses import dataclass

from airlock.verify.found import NOTHING, Found
from airlock.verify.levels import Element, Level

Charsets = tuple[bytes, bytes]
"""Encoded SpecificCharacterSet of an output's level, and of the input's."""
Latest = tuple[Element | None, Element | None, Found]
NEVER: Latest = (None, None, NOTHING)


@dataclass(frozen=True, slots=True)
class Place:
    """A level of the output, the level of the input that it came from if that is known, and where it stands."""

    path: tuple[int, ...]
    output: Level
    source: Level | None
    charsets: Charsets


class Remembered:
    """What was found in one kind of objects.

    :ivar by_value: by tag and values.
    :ivar latest: of the latest object, by tag: its element, that of its input, and what was found. What stands in the
        next object as the same element of the same input needs no key.
    """

    def __init__(self) -> None:
        self.by_value: dict[tuple[object, ...], Found] = {}
        self.latest: dict[int, Latest] = {}
