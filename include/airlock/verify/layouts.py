"""Read the elements of a dataset by what the headers of a series have in common, and parse only what lies otherwise.

Nearly all bytes of a header stand in the next one of the series too. A layout knows these stretches, and between them
the elements whose values differ from file to file; a header that has the same stretches is read by comparing them.
Whatever is not known is parsed by :mod:`airlock.verify.parser`, which has the last word: what a layout accepts is what
the parser accepted, byte for byte; of values that differ, all that the parser asks for is asked here too, and
sequences are parsed whenever their bytes are new.
"""

from __future__ import annotations

from itertools import pairwise

from airlock.verify.levels import Element, Level, Order, Shape, Short
from airlock.verify.parser import MASKS, SHORT_VRS, Known, parse_level

_UNDEFINED = 0xFFFFFFFF
# A series has fewer kinds of objects.
_MOST_LAYOUTS = 8
# What differs so soon is taken to differ from file to file; what differs later, from series to series.
_SETTLED_AFTER, _MOST_VARYING = 4, 64
_MOST_SEQUENCES, _LONGEST_SEQUENCE = 2048, 32 << 10
_new = tuple.__new__
Stretches = tuple[tuple[bytes, int, "_Slot | None"], ...]
"""Bytes that all have, how many, and the element whose length follows them; none after the last."""


class _Slot:
    """An element whose value differs from file to file.

    :ivar head: so many bytes of it stand before the length of its value, and
    :ivar width: so many are the length, which `length` reads.
    :ivar plain: what is needed of it to read the next one.
    :ivar latest: of a sequence: its bytes, from its head to its delimiter if it has one, and what they are.
    """

    __slots__ = ("head", "latest", "length", "nested", "plain", "tag", "width")

    def __init__(self, tag: int, element: Element, order: Order, *, strict: bool) -> None:
        self.tag, self.nested = tag, element.items is not None
        short = not order.implicit and element.vr in SHORT_VRS
        self.head = 4 if order.implicit else 6 if short else 8
        self.width = 2 if short else 4
        self.length = order.short if short else order.long
        mask = MASKS.get(element.vr, 1) if strict else 0
        self.plain = (tag, element.vr, self.width, self.length, mask, self.nested)
        self.latest: tuple[bytes, Element] | None = None


class _Layout:
    """What headers have in common.

    :param kinds: tags and VRs of their elements.
    :ivar elements: of the latest header.
    :ivar age: how many headers were read by what was learned last.
    """

    __slots__ = ("age", "elements", "kinds", "shape", "stretches")

    def __init__(self, kinds: tuple[tuple[int, bytes], ...]) -> None:
        self.kinds = kinds
        self.age = 0
        self.elements: dict[int, Element] = {}
        self.shape = Shape(())
        self.stretches: Stretches = ()

    def varying(self, level: Level) -> frozenset[int]:
        """Return the tags of elements that differ from file to file, now that one more level is known."""
        varying = set(self.shape.varying)
        if self.age < _SETTLED_AFTER:
            before = self.elements
            varying |= {tag for tag, each in level.elements.items() if before and each.value != before[tag].value}
        return frozenset(varying if len(varying) <= _MOST_VARYING else ())


class Layouts:
    """Reads datasets in one encoding.

    :param strict: as :func:`airlock.verify.parser.parse_level` has it.
    :param below: stop before the first element with this tag or a greater one.
    """

    def __init__(self, order: Order, *, strict: bool, below: int) -> None:
        self._order, self._strict, self._below = order, strict, below
        self._known: list[_Layout] = []
        self._items: Known = {}

    def level(self, data: bytes, position: int, size: int) -> tuple[Level, int]:
        """Parse the elements of a dataset; the arguments and what it returns are those of the parser.

        :raises Malformed: when the bytes are not understood.
        :raises Short: when more of the file is needed.
        """
        known = self._known
        for number, layout in enumerate(known):
            end = self._read(layout, data, position, size)
            if end >= 0:
                layout.age += 1
                if number:
                    known.insert(0, known.pop(number))
                return Level(self._order, layout.elements.copy(), layout.shape), end
        level, end = self._parse(data, position, size, self._below)
        self._learn(data, position, end, level)
        return level, end

    def _read(self, layout: _Layout, data: bytes, position: int, size: int) -> int:  # noqa: C901 - as in the parser
        """Read by a layout; return where the level ends, negative when the bytes lie otherwise."""
        elements, have = layout.elements, len(data)
        for same, known, slot in layout.stretches:
            if not data.startswith(same, position):
                _ask_for_more(data, position, size, same)
                return -1
            position += known
            if slot is None:
                break
            tag, vr, width, read_length, mask, nested = slot.plain
            begin = position + width
            if begin > have:
                return -1
            position = begin + (length := read_length(data, position)[0])
            if nested:
                position = self._nested(slot, data, begin, size, elements)
                if position < 0:
                    return -1
            elif position > have:
                if position <= size and length != _UNDEFINED:
                    raise Short(position)
                return -1
            elif length & mask:
                return -1
            elif (value := data[begin:position]) != elements[tag].value:
                elements[tag] = _new(Element, (vr, value, None))
        return position if self._ends(data, position, size) else -1

    def _ends(self, data: bytes, position: int, size: int) -> bool:
        """Whether a level ends here: no element follows that belongs to it."""
        if position >= size:
            return position == size
        if position + 8 > len(data):
            return False
        group, number, _length = self._order.plain_head(data, position)
        return bool(group << 16 | number >= self._below)

    def _nested(self, slot: _Slot, data: bytes, begin: int, size: int, elements: dict[int, Element]) -> int:
        """Read a sequence, which is parsed when its bytes are new; return where it ends, negative when it is none."""
        start = begin - slot.head - slot.width
        if slot.latest is not None and data.startswith(slot.latest[0], start):
            raw, elements[slot.tag] = slot.latest
            return start + len(raw)
        level, end = self._parse(data, start, size, slot.tag + 1)
        found = level.elements.get(slot.tag)
        if found is None or found.items is None or len(level.elements) > 1:
            return -1
        slot.latest = data[start:end], found
        elements[slot.tag] = found
        return end

    def _parse(self, data: bytes, position: int, size: int, below: int) -> tuple[Level, int]:
        return parse_level(data, position, size, self._order, strict=self._strict, below=below, known=self._items)

    def _learn(self, data: bytes, position: int, end: int, level: Level) -> None:
        """Learn from a level that was parsed, when its elements are in order."""
        kinds = tuple((tag, element.vr) for tag, element in level.elements.items())
        if any(one[0] >= other[0] for one, other in pairwise(kinds)):
            return
        layout = next((each for each in self._known if each.kinds == kinds), None) or _Layout(kinds)
        varying = layout.varying(level)
        stretches = self._stretches(data, position, end, level, varying)
        if stretches is None:
            return
        layout.age, layout.stretches, layout.elements = 0, stretches, level.elements.copy()
        layout.shape = level.shape = Shape(tuple(sorted(varying)))
        self._known = [layout, *(each for each in self._known if each is not layout)][:_MOST_LAYOUTS]

    def _stretches(
        self, data: bytes, position: int, end: int, level: Level, varying: frozenset[int]
    ) -> Stretches | None:
        """Return the bytes around the values that differ; None when elements don't lie as they are understood."""
        stretches: list[tuple[bytes, int, _Slot | None]] = []
        start = position
        for tag, element in level.elements.items():
            slot = _Slot(tag, element, self._order, strict=self._strict)
            value = position + slot.head + slot.width
            group, number, _length = self._order.plain_head(data, position)
            if group << 16 | number != tag:
                return None
            undefined = slot.length(data, position + slot.head)[0] == _UNDEFINED
            after = value + len(element.value) + (8 if undefined and slot.nested else 0)
            if tag in varying and (slot.nested or not undefined):
                stretches.append((data[start : position + slot.head], position + slot.head - start, slot))
                start = after
            position = after
        if position != end:
            return None
        return (*stretches, (data[start:end], end - start, None))


def _ask_for_more(data: bytes, position: int, size: int, wanted: bytes) -> None:
    """Have more of the file read, where it goes on as expected and ends too early.

    :raises Short: when so.
    """
    needed = position + len(wanted)
    if len(data) < needed <= size and wanted.startswith(data[position:]):
        raise Short(needed)
