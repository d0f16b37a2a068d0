"""Levels: one dataset or item as elements by tag, parsed without recursion (PS3.5 sections 7.1 to 7.5)."""

from __future__ import annotations

import struct
from functools import lru_cache

from airlock.dicomio.dictionary import vr_of
from airlock.tuples import NamedTuple


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
        self.short = struct.Struct(f"{mark}H").unpack_from

    def inner(self, vr: bytes) -> Order:
        """Return the encoding inside a sequence: UN of undefined length is implicit (PS3.5 section 6.2.2, note 2)."""
        return _IMPLICIT if vr == b"UN" else self


_IMPLICIT = Order(implicit=True, little=True)


class Element(NamedTuple):
    """One element. What is the same bytes in the next file is often the same object.

    :param vr: as encoded; empty in implicit VR.
    :param value: as encoded; of a sequence in an item, nothing: levels within levels would each hold all that follow.
    :param items: of a sequence, else None.
    """

    vr: bytes
    value: bytes
    items: list[Level] | None

    @property
    def empty(self) -> bool:
        """Whether it has no value, or no items."""
        return not self.value and not self.items


class Shape:
    """What datasets have in common: all elements, in this order, but for the values of some.

    Two levels have the same shape when it is the same object.

    :param varying: tags of those whose values may differ, ascending.
    :param elements: of one of them.
    :ivar places: by tag, where in the elements that differ those of `varying` stand.
    """

    __slots__ = ("elements", "places", "varying")

    def __init__(self, varying: tuple[int, ...], elements: dict[int, Element]) -> None:
        self.varying, self.elements = varying, elements
        self.places = {tag: number for number, tag in enumerate(varying)}


class Level:
    """A dataset, or one item of a sequence.

    :param elements: by tag; may be left out where a shape is known.
    :param shape: None when nothing is known that it has in common with others.
    :param varied: the elements in which it differs from others of its shape, in the order of their tags.
    """

    __slots__ = ("_elements", "order", "shape", "varied")

    def __init__(
        self,
        order: Order,
        elements: dict[int, Element] | None = None,
        shape: Shape | None = None,
        varied: tuple[Element, ...] = (),
    ) -> None:
        self.order, self.shape, self.varied = order, shape, varied
        self._elements = {} if elements is None and shape is None else elements

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Level) and self.order is other.order and self.elements == other.elements

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"<Level of {len(self.elements)} elements>"

    @property
    def elements(self) -> dict[int, Element]:
        """All of them, by tag. Of a level whose shape is known, few are asked for, so that they are gathered late."""
        if self._elements is None:
            self._elements = self.gathered()
        return self._elements

    def gathered(self) -> dict[int, Element]:
        """Return all elements by tag, which take far more memory than those in which a level differs from others."""
        if self._elements is not None:
            return self._elements
        assert self.shape is not None
        return self.shape.elements | dict(zip(self.shape.varying, self.varied, strict=True))

    def get(self, tag: int) -> Element | None:
        """Return an element, None when it is absent."""
        if self._elements is not None:
            return self._elements.get(tag)
        assert self.shape is not None
        place = self.shape.places.get(tag)
        return self.shape.elements.get(tag) if place is None else self.varied[place]

    def value(self, tag: int) -> bytes | None:
        """Return the encoded value of an element, None when it is absent."""
        element = self.get(tag)
        return None if element is None else element.value


def same_items(ones: list[Level], others: list[Level]) -> bool:
    """Whether the items of two sequences are the same, at all levels, however they are delimited."""
    stack = [(ones, others)]
    while stack:
        ones, others = stack.pop()
        if len(ones) != len(others):
            return False
        for one, other in zip(ones, others, strict=True):
            if one.elements.keys() != other.elements.keys():
                return False
            for tag, element in one.elements.items():
                beside = other.elements[tag]
                if (element.items is None) != (beside.items is None):
                    return False
                if element.items is not None and beside.items is not None:
                    stack.append((element.items, beside.items))
                elif element.value != beside.value:
                    return False
    return True


@lru_cache(maxsize=16384)
def is_sequence(tag: int) -> bool:
    """Whether the dictionary (PS3.6) says that an attribute is a sequence."""
    try:
        return vr_of(tag) == "SQ"
    except KeyError:
        return False
