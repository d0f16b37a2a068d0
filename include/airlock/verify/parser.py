"""Parse the elements of a dataset without recursion, accounting for every byte (PS3.5 sections 7.1 to 7.5)."""

from __future__ import annotations

import struct

from airlock.verify.levels import Element, Level, Malformed, Order, Short, is_sequence
from airlock.verify.twins import LONGEST_KNOWN, Known, Twin, twin_of
from airlock.verify.widths import LONG, SHORT

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_FRAGMENTED = (b"OB", b"OW")
_ENDLESS = 1 << 32
_new = tuple.__new__
_MOST_KNOWN = 4096
_ITEMS_BEFORE_TWINS, _MOST_TWINS = 2, 8


class _Frame:
    """A level or a sequence whose end has not been reached.

    :param end: of the enclosing bytes, or its own when its length is defined.
    :param items: of a sequence; None when it is a level.
    """

    __slots__ = ("began", "end", "items", "last", "level", "order", "start", "tag", "twins", "undefined", "vr")

    def __init__(
        self,
        level: Level,
        end: int,
        *,
        undefined: bool,
        items: list[Level] | None = None,
        tag: int = 0,
        vr: bytes = b"",
        start: int = 0,
        order: Order | None = None,
    ) -> None:
        self.level, self.end, self.undefined, self.items = level, end, undefined, items
        self.tag, self.vr, self.start, self.order = tag, vr, start, order
        self.last = -1
        # Of a sequence: where its latest item began that was parsed, and how earlier ones lie.
        self.began, self.twins = -1, list[Twin]()


def parse_level(
    data: bytes,
    position: int,
    size: int,
    order: Order,
    *,
    strict: bool,
    below: int = _ENDLESS,
    known: Known | None = None,
) -> tuple[Level, int]:
    """Parse the elements of a dataset, with all that is nested in them.

    :param data: the file from some point on, perhaps not to its end.
    :param size: where the dataset ends, from the start of `data`; may lie beyond it.
    :param below: stop before the first element with this tag or a greater one.
    :param known: items that were read, as strictly, and to which those are added that are read now.
    :return: the level, and where its last element ends.
    :raises Malformed: when the bytes are not understood.
    :raises Short: when more of the file is needed.
    """
    return _Parser(data, position, size, strict=strict, below=below, known={} if known is None else known).run(order)


class _Parser:
    def __init__(self, data: bytes, position: int, size: int, *, strict: bool, below: int, known: Known) -> None:
        self._data, self._have, self._size = data, len(data), size
        self._known = known
        self._strict, self._below = strict, below
        self._position = position
        self._stack: list[_Frame] = []

    def run(self, order: Order) -> tuple[Level, int]:
        root = Level(order)
        self._stack.append(_Frame(root, self._size, undefined=False))
        while self._stack:
            frame = self._stack[-1]
            if frame.items is None:
                self._elements(frame)
            else:
                self._items(frame)
        return root, self._position

    def _elements(self, frame: _Frame) -> None:  # noqa: C901, PLR0912, PLR0915 - one loop: calls would cost more
        """Read elements until a sequence begins or the level ends."""
        data, order, position, end = self._data, frame.level.order, self._position, frame.end
        elements, strict, implicit, last = frame.level.elements, self._strict, order.implicit, frame.last
        top, known = len(self._stack) == 1, self._known
        below = self._below if top else _ENDLESS
        bound = min(end, self._have)
        head, long = order.plain_head if implicit else order.explicit_head, order.long
        mask: int | None = 1
        while position < end:
            try:
                if implicit:
                    group, number, length = head(data, position)
                    vr, begin = b"", position + 8
                    if (tag := group << 16 | number) >= below:
                        break
                else:
                    group, number, vr, length = head(data, position)
                    if (tag := group << 16 | number) >= below:
                        break
                    begin = position + 8
                    if (mask := SHORT.get(vr)) is None and group != 0xFFFE:
                        if (mask := LONG.get(vr)) is None or (strict and length):
                            raise Malformed("an element has no valid VR, or reserved bytes that are not zero")
                        (length,) = long(data, begin)
                        begin += 4
            except struct.error:
                if self._is_padding(frame, position):
                    position = end
                    break
                self._more(position + 12 if position + 12 <= end else position + 8, end)
            if group == 0xFFFE:
                self._position = position
                self._end_of_item(frame, tag)
                return
            if tag > last:
                last = tag
            elif strict or tag in elements:
                raise Malformed("its elements are not in ascending order")
            if length == _UNDEFINED or vr == b"SQ" or ((implicit or vr == b"UN") and is_sequence(tag)):
                items = None
                if length <= LONGEST_KNOWN and begin + length <= bound:
                    position = begin + length
                    items = known.get((order.inner(vr), data[begin:position]))
                if items is None:
                    frame.last = last
                    self._begin_sequence(frame, tag, vr, begin, length)
                    return
                elements[tag] = _new(Element, (vr, data[begin:position] if top else b"", items))
                continue
            position = begin + length
            if position > bound:
                self._more(position, end)
            if strict and mask and length & mask:
                raise Malformed("a value has a length that its VR doesn't allow")
            elements[tag] = _new(Element, (vr, data[begin:position], None))
        if frame.undefined:
            raise Malformed("an item doesn't end")
        self._position = position
        self._stack.pop()

    def _is_padding(self, frame: _Frame, start: int) -> bool:
        """Whether an input ends in zeros that are too few to be an element."""
        if self._strict or len(self._stack) > 1 or frame.end > self._have:
            return False
        return not self._data[start : frame.end].strip(b"\0")

    def _more(self, needed: int, limit: int) -> None:
        if needed > limit or needed <= self._have:
            raise Malformed("a value is longer than what holds it: it is cut short")
        raise Short(needed)

    def _end_of_item(self, frame: _Frame, tag: int) -> None:
        length = frame.level.order.long(self._data, self._position + 4)[0]
        if not frame.undefined or tag != _ITEM_END or length or self._position + 8 > frame.end:
            raise Malformed("a delimiter stands where none belongs")
        self._position += 8
        self._stack.pop()

    def _begin_sequence(self, frame: _Frame, tag: int, vr: bytes, begin: int, length: int) -> None:
        undefined = length == _UNDEFINED
        end = frame.end if undefined else begin + length
        if end > frame.end:
            raise Malformed("a sequence is longer than what holds it: it is cut short")
        if undefined and vr in _FRAGMENTED:
            self._position = self._skip_fragments(begin, end, frame.level.order)
            frame.level.elements[tag] = Element(vr, self._data[begin : self._position], None)
            return
        if undefined and vr not in (b"", b"SQ", b"UN"):
            raise Malformed("a value of undefined length is no sequence")
        self._position = begin
        order = frame.level.order.inner(vr)
        self._stack.append(
            _Frame(frame.level, end, undefined=undefined, items=[], tag=tag, vr=vr, start=begin, order=order)
        )

    def _items(self, frame: _Frame) -> None:
        """Read the head of the next item, or the end of the sequence."""
        assert frame.items is not None
        order = frame.order or frame.level.order
        position = self._position
        if position == frame.end and not frame.undefined:
            self._close(frame, position)
            return
        if len(frame.items) >= _ITEMS_BEFORE_TWINS and self._is_twin(frame, frame.items, position):
            return
        if position + 8 > self._have or position + 8 > frame.end:
            self._more(position + 8, frame.end)
        group, number, length = order.plain_head(self._data, position)
        tag = group << 16 | number
        self._position = position + 8
        if tag == _SEQUENCE_END and frame.undefined and not length:
            self._close(frame, position)
            return
        if tag != _ITEM:
            raise Malformed("a sequence holds something that is no item")
        end = frame.end if length == _UNDEFINED else position + 8 + length
        if end > frame.end:
            raise Malformed("an item is longer than what holds it: it is cut short")
        item = Level(order)
        frame.items.append(item)
        frame.began = position
        self._stack.append(_Frame(item, end, undefined=length == _UNDEFINED))

    def _is_twin(self, frame: _Frame, items: list[Level], position: int) -> bool:
        """Read the next item, if it lies as an earlier one does, and learn how the one before it lies."""
        if frame.began >= 0:
            if len(frame.twins) < _MOST_TWINS and (twin := twin_of(self._data, frame.began, position, items[-1])):
                frame.twins.insert(0, twin)
            frame.began = -1
        bound = min(frame.end, self._have)
        for twin in frame.twins:
            if position + twin.size <= bound and twin.lies_at(self._data, position):
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                items.append(twin.read(self._data, position, self._known))
                self._position = position + twin.size
                return True
        return False

    def _close(self, frame: _Frame, end: int) -> None:
        self._stack.pop()
        value = self._data[frame.start : end] if len(self._stack) == 1 else b""
        assert frame.items is not None and frame.order is not None  # noqa: PT018 - it is a sequence
        frame.level.elements[frame.tag] = _new(Element, (frame.vr, value, frame.items))
        if not frame.undefined and end - frame.start <= LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[frame.order, self._data[frame.start : end]] = frame.items

    def _skip_fragments(self, position: int, limit: int, order: Order) -> int:
        while True:
            if position + 8 > limit or position + 8 > self._have:
                self._more(position + 8, limit)
            group, number, length = order.plain_head(self._data, position)
            position += 8
            if (group, number, length) == (0xFFFE, 0xE0DD, 0):
                return position
            if (group, number) != (0xFFFE, 0xE000) or length == _UNDEFINED:
                raise Malformed("compressed data in an item is damaged")
            position += length
