"""Read items of a sequence that lie as an earlier one does, such as those of the frames of an object.

All that the parser looks at in an item are its heads and delimiters: what stands in a value changes nothing of where
anything begins and ends. An item whose heads and delimiters are the same bytes, at the same places, is therefore read
as that other one was, and its values lie where those of the other one lie.
"""

from __future__ import annotations

from airlock.typed import Any
from airlock.verify.levels import Element, Level, Order
from airlock.verify.widths import SHORT_VRS

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
# Deeper ones, and longer ones, are parsed.
_DEEPEST, _LONGEST = 6, 64 << 10
LONGEST_KNOWN = 4096
"""Bytes of items that are remembered."""
_new = tuple.__new__
Known = dict[tuple[Order, bytes], list[Level]]
"""Items by how they are encoded, and their bytes: what is the same bytes is read once."""
Plan = list[tuple[int, bytes, int, int, Any]]
"""Of every element of a level its tag and VR, where its value begins and ends, and for a sequence the items' plans.

Where the value of a sequence is not to be remembered, it begins and ends at zero."""


class _OtherwiseError(Exception):
    """The item does not lie as it is understood here."""


class Twin:
    """An item, and how it lies.

    :param data: what holds it, and
    :param start: where it begins there, with its head.
    :param end: behind its delimiter, if it has one.
    :param level: what the parser read of it.
    """

    __slots__ = ("_order", "_plan", "_stretches", "size")

    def __init__(self, data: bytes, start: int, end: int, level: Level) -> None:
        walk = _Walk(data, start, level.order)
        self._order = level.order
        self._plan = walk.item(level, 0)
        self._stretches = walk.stretches(end)
        self.size = end - start

    def __repr__(self) -> str:
        return "<Twin>"

    def lies_at(self, data: bytes, start: int) -> bool:
        """Whether what begins there has the same heads and delimiters at the same places."""
        return all(data.startswith(same, start + offset) for offset, same in self._stretches)

    def read(self, data: bytes, start: int, known: Known) -> Level:
        """Read the item that lies there.

        :param known: items by how they are encoded, and their bytes, as the parser has it.
        """
        return self._level(self._plan, data, start, known)

    def _level(self, plan: Plan, data: bytes, start: int, known: Known) -> Level:
        elements: dict[int, Element] = {}
        for tag, vr, begin, end, inner in plan:
            value = data[start + begin : start + end]
            if inner is None:
                elements[tag] = _new(Element, (vr, value, None))
                continue
            key = (self._order, value)
            items = known.get(key) if begin else None
            if items is None:
                items = [self._level(each, data, start, known) for each in inner]
                if begin:
                    known[key] = items
            elements[tag] = _new(Element, (vr, b"", items))
        return Level(self._order, elements)


def twin_of(data: bytes, start: int, end: int, level: Level) -> Twin | None:
    """Return how an item lies; None when it is out of the ordinary. The arguments are those of :class:`Twin`."""
    if end - start > _LONGEST:
        return None
    try:
        return Twin(data, start, end, level)
    except _OtherwiseError:
        return None


class _Walk:
    """Follows an item that was parsed through its bytes."""

    def __init__(self, data: bytes, start: int, order: Order) -> None:
        self._data, self._start, self._order = data, start, order
        self._position = self._same_from = start
        self._stretches: list[tuple[int, bytes]] = []

    def stretches(self, end: int) -> list[tuple[int, bytes]]:
        """Return the bytes between values, with where they lie from the start on."""
        if self._position != end:
            raise _OtherwiseError
        self._value(end, end)
        return self._stretches

    def _value(self, begin: int, end: int) -> None:
        """Note that something stands there that may differ."""
        self._stretches.append((self._same_from - self._start, self._data[self._same_from : begin]))
        self._position = self._same_from = end

    def _delimited(self, expected: int) -> int:
        """Read a head without VR; return its length."""
        group, number, length = self._order.plain_head(self._data, self._position)
        if group << 16 | number != expected:
            raise _OtherwiseError
        self._position += 8
        return int(length)

    def item(self, level: Level, depth: int) -> Plan:
        """Return the plan of an item that begins here, with its head."""
        if depth > _DEEPEST or level.order is not self._order:
            raise _OtherwiseError
        length = self._delimited(_ITEM)
        end = self._position + length
        plan = [self._element(tag, element, depth) for tag, element in level.elements.items()]
        if length == _UNDEFINED:
            self._delimited(_ITEM_END)
        elif self._position != end:
            raise _OtherwiseError
        return plan

    def _element(self, tag: int, element: Element, depth: int) -> tuple[int, bytes, int, int, Any]:
        length = self._head(tag, element.vr)
        begin = self._position
        if element.items is None:
            if length != len(element.value):
                raise _OtherwiseError
            self._value(begin, begin + length)
            return tag, element.vr, begin - self._start, self._position - self._start, None
        if element.vr == b"UN":
            raise _OtherwiseError
        inner = [self.item(item, depth + 1) for item in element.items]
        if length == _UNDEFINED:
            self._delimited(_SEQUENCE_END)
            return tag, element.vr, 0, 0, inner
        if self._position != begin + length:
            raise _OtherwiseError
        if length > LONGEST_KNOWN:
            return tag, element.vr, 0, 0, inner
        return tag, element.vr, begin - self._start, self._position - self._start, inner

    def _head(self, tag: int, vr: bytes) -> int:
        """Read the head of an element; return its length."""
        order, data, position = self._order, self._data, self._position
        if order.implicit:
            group, number, length = order.plain_head(data, position)
            self._position += 8
        else:
            group, number, encoded, length = order.explicit_head(data, position)
            self._position += 8
            if encoded != vr:
                raise _OtherwiseError
            if vr not in SHORT_VRS:
                (length,) = order.long(data, self._position)
                self._position += 4
        if group << 16 | number != tag:
            raise _OtherwiseError
        return int(length)
