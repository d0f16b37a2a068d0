"""The series that one walk meets: it learns the layouts of their headers, and finds the one that a file follows."""

from __future__ import annotations

import struct

from airlock.deid.stream.layout import Element, Followed, Layout, differ, heads_of
from airlock.deid.stream.table import STOP
from airlock.dicomio.head import Irregular
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.stream.walk import Walk

# Longer headers are mostly of objects that no other follows.
_LONGEST_BYTES = 256 << 10
_MOST_LAYOUTS = 8
# Files of series that take turns.
_MOST_SEEN = 4


class Series:
    """The layouts of the files that one walk is for."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._layouts: list[Layout] = []
        # Headers that were walked over, of which no layout is known.
        self._seen: list[tuple[bytes, int, int]] = []

    def follow(self, data: bytes, position: int) -> tuple[Layout, Followed] | None:
        """Return the layout that a file follows, and what differs in it; None when there is none."""
        for number, layout in enumerate(self._layouts):
            try:
                followed = layout.follow(self._walk, data, position)
            except (Irregular, struct.error):
                return None
            if followed is not None:
                if number:
                    self._layouts.insert(0, self._layouts.pop(number))
                return layout, followed
        return None

    def learn(self, data: bytes, start: int, stop: int) -> None:
        """Learn from a file that was walked over.

        :param start: where its dataset starts, and
        :param stop: where the header ends.
        """
        if stop - start > _LONGEST_BYTES:
            return
        seen = data, start, stop
        if not self._layouts and not self._seen:
            # Perhaps nothing follows: that is the quickest way to be ready.
            self._seen.append(seen)
            return
        elements = self._elements(data, start, stop)
        heads = heads_of(self._walk, data, elements)
        known = next((layout for layout in self._layouts if layout.heads == heads), None)
        if known is not None:
            self._layouts.remove(known)
            varying = known.varying | known.elements_thatdiffer(data, elements)
        elif (found := self._alike(data, heads, elements)) is not None:
            varying = found
        else:
            self._seen = [seen, *self._seen][:_MOST_SEEN]
            return
        pixels = self._at_pixels(data, stop)
        self._layouts.insert(0, Layout(self._walk, data, elements, varying, pixels=pixels))
        del self._layouts[_MOST_LAYOUTS:]

    def _alike(self, data: bytes, heads: bytes, elements: list[Element]) -> set[int] | None:
        """Return what differs in a header that was seen before and has the same elements; None when there is none."""
        for number, (other, start, stop) in enumerate(self._seen):
            others = self._elements(other, start, stop)
            if heads_of(self._walk, other, others) == heads:
                del self._seen[number]
                return differ(other, others, data, elements)
        return None

    def _at_pixels(self, data: bytes, position: int) -> bool:
        plan = self._walk.plans.get(data[position : position + self._walk.width])
        return plan is not None and plan.act == STOP

    def _elements(self, data: bytes, position: int, stop: int) -> list[Element]:
        """Return the elements of a header that was walked over."""
        elements = []
        walk = self._walk
        while position < stop:
            plan = walk.plans[data[position : position + walk.width]]
            end = position + plan.base + plan.unpack(data, position + plan.at)[0]
            if end > stop:
                end = walk.end_of(plan, data, position, len(data))
            elements.append(Element(plan, position, end))
            position = end
        return elements
