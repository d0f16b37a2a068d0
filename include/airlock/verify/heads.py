"""Read files from their first byte to their pixel data at once, by what the files of a series have in common.

Where the file meta information and the dataset are each read by a layout (:mod:`airlock.verify.layouts`), everything
between the layouts' values is the same bytes from file to file: preamble, meta information, dataset and the head of the
pixel data are then one row of stretches. What is read so is what :class:`airlock.verify.reader.Reader` would read
part by part; whatever lies otherwise, or is out of the ordinary, is left to it.
"""

from __future__ import annotations

import struct

from airlock.tuples import NamedTuple
from airlock.verify.layouts import Layout, Nested, Slot, Stretches, follow
from airlock.verify.levels import Element, Level, Order, Shape, Short

_SYNTAX = 0x00020010
# A folder has series of few kinds, and each of them is read by layouts all the same.
_MOST_HEADS = 8
_new = tuple.__new__


class Begun(NamedTuple):
    """What a file has in front of the value of its pixel data.

    :param start: of that value, or the end of the file.
    :param pixels: tag and VR of the pixel data; None when there is none.
    :param size: of its value.
    """

    preamble: bytes
    meta: Level
    syntax: str
    dataset: Level
    pixels: tuple[int, bytes] | None
    start: int
    size: int


class _Head:
    """What the files of a series begin with.

    :param begun: one of them.
    :param layouts: by which its file meta information and its dataset were read.
    """

    __slots__ = ("begun", "latest", "layouts", "nested", "shapes", "stretches")

    def __init__(self, begun: Begun, stretches: Stretches, layouts: tuple[Layout, Layout], nested: Nested) -> None:
        self.begun, self.stretches, self.layouts, self.nested = begun, stretches, layouts, nested
        self.shapes: tuple[Shape, Shape] = layouts[0].shape, layouts[1].shape
        self.latest: list[Element] = [*layouts[0].latest, *layouts[1].latest]

    def replaces(self, other: _Head) -> bool:
        """Whether another one was learned from files like these, of which more is known now."""
        return self.layouts == other.layouts and self.stretches[0][0] == other.stretches[0][0]


class Heads:
    """Reads what files begin with.

    :param strict: as :class:`airlock.verify.reader.Reader` has it.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._known: list[_Head] = []

    def read(self, data: bytes, size: int) -> Begun | None:
        """Read a file's beginning; None when that of no known series is like it, or more than that must be looked at.

        :param data: the first bytes of the file.
        :param size: of the file.
        """
        for number, head in enumerate(self._known):
            try:
                end = follow(head.stretches, head.latest, data, 0, size, head.nested)
            except Short:
                return None
            if end < 0:
                continue
            if number:
                self._known.insert(0, self._known.pop(number))
            return self._begun(head, data, end, size)
        return None

    def _begun(self, head: _Head, data: bytes, end: int, size: int) -> Begun | None:
        preamble, meta, syntax, dataset, pixels, *_ = head.begun
        length = 0
        if pixels is not None:
            if end + 4 > len(data):
                return None
            length = dataset.order.long(data, end)[0]
            end += 4
        # Anything behind the pixel data, or pixel data that is not all there, is looked at with more care.
        if end + length != size or (self._strict and length % 2):
            return None
        (of_meta, shape), latest = head.shapes, head.latest
        first = len(of_meta.varying)
        meta = Level(meta.order, None, of_meta, tuple(latest[:first]))
        dataset = Level(dataset.order, None, shape, tuple(latest[first:]))
        for layout in head.layouts:
            layout.age += 1
        return _new(Begun, (preamble, meta, syntax, dataset, pixels, end, length))

    def learn(self, begun: Begun, lead: bytes, meta: Layout | None, dataset: Layout | None, nested: Nested) -> None:
        """Learn how the files of a series begin.

        :param begun: a file that was read part by part, its pixel data of known length, and nothing behind it.
        :param lead: the bytes before its file meta information.
        :param meta: by which its file meta information was read, and
        :param dataset: by which its dataset was; None when by none.
        :param nested: reads the sequences of the dataset.
        """
        if meta is None or dataset is None or _SYNTAX in meta.shape.places or _has_sequence(meta):
            return
        order = begun.dataset.order
        behind = b"" if begun.pixels is None else _head_of(*begun.pixels, order)
        stretches: list[tuple[bytes, int, Slot | None]] = []
        waiting = lead
        for layout in (meta, dataset):
            for same, _, slot in layout.stretches:
                waiting += same
                if slot is not None:
                    stretches.append((waiting, len(waiting), slot.numbered(len(stretches))))
                    waiting = b""
        waiting += behind
        head = _Head(begun, (*stretches, (waiting, len(waiting), None)), (meta, dataset), nested)
        self._known = [head, *(each for each in self._known if not head.replaces(each))][:_MOST_HEADS]


def _has_sequence(layout: Layout) -> bool:
    return any(slot is not None and slot.nested for _, _, slot in layout.stretches)


def _head_of(tag: int, vr: bytes, order: Order) -> bytes:
    """Return the head of pixel data up to its length (PS3.5 section 7.1)."""
    written = struct.pack("<HH" if order.little else ">HH", tag >> 16, tag & 0xFFFF)
    return written if order.implicit else written + vr + b"\0\0"
