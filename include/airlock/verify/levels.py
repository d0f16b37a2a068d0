"""Levels: one dataset or item as elements by tag, parsed without recursion (PS3.5 sections 7.1 to 7.5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from airlock.dicomio.dictionary import vr_of


class Malformed(Exception):
    """The bytes are not a dataset as the standard has it. The text says why, without any of them."""


class Short(Exception):
    """More bytes of the file are needed.

    :param needed: so many from the start of the buffer.
    """

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class Order:
    """How a dataset is encoded: with or without VRs, and in which byte order."""

    def __init__(self, *, implicit: bool, little: bool) -> None:
        mark = "<" if little else ">"
        self.implicit, self.little = implicit, little
        self.explicit_head = struct.Struct(f"{mark}HH2sH").unpack_from
        self.plain_head = struct.Struct(f"{mark}HHL").unpack_from
        self.long = struct.Struct(f"{mark}L").unpack_from

    def inner(self, vr: bytes) -> Order:
        """Return the encoding inside a sequence: UN of undefined length is implicit (PS3.5 section 6.2.2, note 2)."""
        return _IMPLICIT if vr == b"UN" else self


_IMPLICIT = Order(implicit=True, little=True)


class Element(NamedTuple):
    """One element.

    :param vr: as encoded; empty in implicit VR.
    :param start: of its value in the level's data.
    :param items: of a sequence, else None.
    """

    vr: bytes
    start: int
    end: int
    items: list[Level] | None


@dataclass(slots=True)
class Level:
    """A dataset, or one item of a sequence.

    :param data: the buffer that all offsets refer to.
    """

    data: bytes
    order: Order
    elements: dict[int, Element] = field(default_factory=dict)

    def value(self, tag: int) -> bytes | None:
        """Return the encoded value of an element, None when it is absent."""
        element = self.elements.get(tag)
        return None if element is None else self.data[element.start : element.end]


@lru_cache(maxsize=16384)
def is_sequence(tag: int) -> bool:
    """Whether the dictionary (PS3.6) says that an attribute is a sequence."""
    try:
        return vr_of(tag) == "SQ"
    except KeyError:
        return False
