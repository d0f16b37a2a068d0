"""Walker: what `header` goes with from element to element, following lengths, not reading values (PS3.5 section 7)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from airlock.dicomio.encodings import UNDEFINED

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # all other VRs of PS3.5 table 6.2-1
)
_MAX_DEPTH = 64
_MAX_VALUE_BYTES = 4096


class Broken(Exception):
    """The bytes are not a dataset. The text says why, without any of them."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element, its value not read.

    :param start: offset of its tag.
    :param vr: None in implicit VR.
    :param length: bytes of its value, or `UNDEFINED`.
    """

    start: int
    tag: int
    vr: bytes | None
    length: int


class Walker:
    """Goes through the top level of a dataset.

    :param stream: stands at the first element.
    :param size: offset of the end of the stream.
    """

    def __init__(self, stream: BinaryIO, size: int, *, implicit: bool, little_endian: bool) -> None:
        self._stream = stream
        self._size = size
        self._position = stream.tell()
        self._implicit = implicit
        order = "<" if little_endian else ">"
        self._tag = struct.Struct(f"{order}HH")
        self._short = struct.Struct(f"{order}H")
        self._long = struct.Struct(f"{order}L")

    def next(self) -> Element | None:
        """Read the next tag, VR and length; None at the end.

        :raises Broken: when there is no whole element.
        """
        return None if self._position == self._size else self._element(self._implicit)

    def value(self, element: Element) -> bytes:
        """Read the value of the element that :meth:`next` returned.

        :raises Broken: when it is longer than any that is read, or than the file.
        """
        if element.length > _MAX_VALUE_BYTES:
            self._check(element.length if element.length != UNDEFINED else 0)
            raise Broken("an attribute is longer than its meaning allows")
        return self._read(element.length)

    def skip(self, element: Element) -> None:
        """Go past the value of the element that :meth:`next` returned.

        :raises Broken: when the value is not whole.
        """
        self._skip(element, self._implicit, 0)

    def _element(self, implicit: bool) -> Element:
        start = self._position
        head = self._read(8)
        group, number = self._tag.unpack_from(head)
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            return Element(start, tag, None, self._long.unpack_from(head, 4)[0])
        vr = head[4:6]
        if vr in _LONG:
            return Element(start, tag, vr, self._long.unpack(self._read(4))[0])
        if vr not in _SHORT:
            raise Broken("an element has no valid VR")
        return Element(start, tag, vr, self._short.unpack_from(head, 6)[0])

    def _skip(self, element: Element, implicit: bool, depth: int) -> None:
        if element.length != UNDEFINED:
            self._check(element.length)
            self._position += element.length
            self._stream.seek(self._position)
        elif depth == _MAX_DEPTH:
            raise Broken(f"sequences are nested more than {_MAX_DEPTH} deep")
        else:
            # UN of undefined length is implicit VR inside, whatever is around it (PS3.5 section 6.2.2, note 2).
            self._skip_items(implicit or element.vr == b"UN", depth + 1)

    def _skip_items(self, implicit: bool, depth: int) -> None:
        while True:
            item = self._element(implicit)
            if item.tag == _SEQUENCE_END:
                return
            if item.tag != _ITEM:
                raise Broken("a sequence holds something that is not an item")
            if item.length != UNDEFINED:
                self._skip(item, implicit, depth)
                continue
            while (inner := self._element(implicit)).tag != _ITEM_END:
                self._skip(inner, implicit, depth)

    def _check(self, length: int) -> None:
        if self._position + length > self._size:
            raise Broken("the file ends inside an element: it is truncated")

    def _read(self, length: int) -> bytes:
        self._check(length)
        data = self._stream.read(length)
        if len(data) != length:
            raise Broken("the file ends inside an element: it is truncated")
        self._position += length
        return data
