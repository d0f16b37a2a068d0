"""Read the elements of a dataset by what the headers of a series have in common, and parse only what lies otherwise.

Nearly all bytes of a header stand in the next one of the series too. A layout knows these stretches, and between them
the elements whose values differ from file to file; a header that has the same stretches is read by comparing them.
Whatever is not known is parsed by :mod:`airlock.verify.parser`, which has the last word: what a layout accepts is what
the parser accepted, byte for byte; of values that differ, all that the parser asks for is asked here too, and
sequences are parsed whenever their bytes are new.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from airlock.verify.levels import Element, Level, Order, Shape, Short
from airlock.verify.parser import parse_level
from airlock.verify.twins import Known
from airlock.verify.widths import MASKS, SHORT_VRS

_UNDEFINED = 0xFFFFFFFF
# A series has fewer kinds of objects.
_MOST_LAYOUTS = 8
# What differs so soon is taken to differ from file to file; what differs later, from series to series.
_SETTLED_AFTER, _MOST_VARYING = 4, 64
_MOST_SEQUENCES, _LONGEST_SEQUENCE = 2048, 32 << 10
_new = tuple.__new__
Nested = Callable[["Slot", bytes, int, int], "tuple[Element, int] | None"]


class Slot:
    """An element whose value differs from file to file.

    :param number: its place among those.
    :ivar head: so many bytes of it stand before the length of its value, and
    :ivar width: so many are the length, which `length` reads.
    :ivar plain: what is needed of it to read the next one.
    :ivar latest: of a sequence: its bytes, from its head to its delimiter if it has one, and what they are.
    """

    __slots__ = ("_made_of", "head", "latest", "length", "nested", "plain", "tag", "width")

    def __init__(self, number: int, tag: int, element: Element, order: Order, *, strict: bool) -> None:
        self._made_of = tag, element, order, strict
        self.tag, self.nested = tag, element.items is not None
        short = not order.implicit and element.vr in SHORT_VRS
        self.head = 4 if order.implicit else 6 if short else 8
        self.width = 2 if short else 4
        self.length = order.short if short else order.long
        mask = MASKS.get(element.vr, 1) if strict else 0
        self.plain = (number, element.vr, self.width, self.length, mask, self.nested)
        self.latest: tuple[bytes, Element] | None = None

    def numbered(self, number: int) -> Slot:
        """Return the same with another place among those that differ."""
        tag, element, order, strict = self._made_of
        return Slot(number, tag, element, order, strict=strict)


Stretches = tuple[tuple[bytes, int, Slot | None], ...]
"""Bytes that all have, how many, and the element whose length follows them; none after the last."""


class Layout:
    """What headers have in common.

    :param kinds: tags and VRs of their elements.
    :ivar latest: what differs, of the latest header.
    :ivar age: how many headers were read by what was learned last.
    """

    __slots__ = ("age", "kinds", "latest", "shape", "stretches")

    def __init__(self, kinds: tuple[tuple[int, bytes], ...]) -> None:
        self.kinds = kinds
        self.age = 0
        self.latest: list[Element] = []
        self.shape = Shape((), {})
        self.stretches: Stretches = ()

    def varying(self, level: Level) -> frozenset[int]:
        """Return the tags of elements that differ from file to file, now that one more level is known."""
        varying = set(self.shape.varying)
        if self.age < _SETTLED_AFTER and self.shape.elements:
            before = self.shape.elements | dict(zip(self.shape.varying, self.latest, strict=True))
            varying |= {tag for tag, each in level.elements.items() if each.value != before[tag].value}
        return frozenset(varying if len(varying) <= _MOST_VARYING else ())


class Layouts:
    """Reads datasets in one encoding.

    :param strict: as :func:`airlock.verify.parser.parse_level` has it.
    :param below: stop before the first element with this tag or a greater one.
    """

    def __init__(self, order: Order, *, strict: bool, below: int) -> None:
        self.order = order
        self._strict, self._below = strict, below
        self._known: list[Layout] = []
        self._items: Known = {}

    def level(self, data: bytes, position: int, size: int) -> tuple[Level, int]:
        """Parse the elements of a dataset; the arguments and what it returns are those of the parser.

        :raises Malformed: when the bytes are not understood.
        :raises Short: when more of the file is needed.
        """
        known = self._known
        for number, layout in enumerate(known):
            end = follow(layout.stretches, layout.latest, data, position, size, self.nested)
            if end >= 0 and self._ends(data, end, size):
                layout.age += 1
                if number:
                    known.insert(0, known.pop(number))
                return Level(self.order, None, layout.shape, tuple(layout.latest)), end
        level, end = self._parse(data, position, size, self._below)
        self._learn(data, position, end, level)
        return level, end

    def by_which(self, level: Level) -> Layout | None:
        """Return the layout by which a level was read, or that was learned from it."""
        return next((each for each in self._known if each.shape is level.shape), None)

    def _ends(self, data: bytes, position: int, size: int) -> bool:
        """Whether a level ends here: no element follows that belongs to it."""
        if position >= size:
            return position == size
        if position + 8 > len(data):
            return False
        group, number, _length = self.order.plain_head(data, position)
        return bool(group << 16 | number >= self._below)

    def nested(self, slot: Slot, data: bytes, begin: int, size: int) -> tuple[Element, int] | None:
        """Read a sequence, which is parsed when its bytes are new.

        :param begin: where its first item lies.
        :return: the sequence, and where it ends; None when it is none.
        """
        start = begin - slot.head - slot.width
        if slot.latest is not None and data.startswith(slot.latest[0], start):
            raw, known = slot.latest
            return known, start + len(raw)
        level, end = self._parse(data, start, size, slot.tag + 1)
        found = level.elements.get(slot.tag)
        if found is None or found.items is None or len(level.elements) > 1:
            return None
        slot.latest = data[start:end], found
        return found, end

    def _parse(self, data: bytes, position: int, size: int, below: int) -> tuple[Level, int]:
        return parse_level(data, position, size, self.order, strict=self._strict, below=below, known=self._items)

    def _learn(self, data: bytes, position: int, end: int, level: Level) -> None:
        """Learn from a level that was parsed, when its elements are in order."""
        kinds = tuple((tag, element.vr) for tag, element in level.elements.items())
        if any(one[0] >= other[0] for one, other in pairwise(kinds)):
            return
        layout = next((each for each in self._known if each.kinds == kinds), None) or Layout(kinds)
        stretches = self._stretches(data, position, end, level, layout.varying(level))
        if stretches is None:
            return
        tags = tuple(slot.tag for _, _, slot in stretches if slot is not None)
        layout.age, layout.stretches, layout.latest = 0, stretches, [level.elements[tag] for tag in tags]
        layout.shape = level.shape = Shape(tags, level.elements.copy())
        level.varied = tuple(layout.latest)
        self._known = [layout, *(each for each in self._known if each is not layout)][:_MOST_LAYOUTS]

    def _stretches(
        self, data: bytes, position: int, end: int, level: Level, varying: frozenset[int]
    ) -> Stretches | None:
        """Return the bytes around the values that differ; None when elements don't lie as they are understood."""
        stretches: list[tuple[bytes, int, Slot | None]] = []
        start = position
        for tag, element in level.elements.items():
            slot = Slot(len(stretches), tag, element, self.order, strict=self._strict)
            value = position + slot.head + slot.width
            group, number, _length = self.order.plain_head(data, position)
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


def follow(  # noqa: C901 - as in the parser
    stretches: Stretches, latest: list[Element], data: bytes, position: int, size: int, nested: Nested
) -> int:
    """Read what differs between stretches of bytes that all have.

    :param latest: what differs, of an earlier header; becomes that of this one.
    :param size: where the dataset ends.
    :param nested: reads a sequence.
    :return: where the last stretch ends; negative when the bytes lie otherwise.
    :raises Short: when more of the file is needed.
    """
    have = len(data)
    for same, known, slot in stretches:
        if not data.startswith(same, position):
            _ask_for_more(data, position, size, same)
            return -1
        position += known
        if slot is None:
            break
        number, vr, width, read_length, mask, is_sequence = slot.plain
        begin = position + width
        if begin > have:
            return -1
        position = begin + (length := read_length(data, position)[0])
        if is_sequence:
            found = nested(slot, data, begin, size)
            if found is None:
                return -1
            latest[number], position = found
        elif position > have:
            if position <= size and length != _UNDEFINED:
                raise Short(position)
            return -1
        elif length & mask:
            return -1
        elif (value := data[begin:position]) != latest[number].value:
            latest[number] = _new(Element, (vr, value, None))
    return position


def _ask_for_more(data: bytes, position: int, size: int, wanted: bytes) -> None:
    """Have more of the file read, where it goes on as expected and ends too early.

    :raises Short: when so.
    """
    needed = position + len(wanted)
    if len(data) < needed <= size and wanted.startswith(data[position:]):
        raise Short(needed)
