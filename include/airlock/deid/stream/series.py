"""Files of a series: what they have in common is compared as a whole, and only what differs is looked at.

A layout is learned from two files with the same elements: stretches whose bytes were the same in both, and between them
the elements that differ. A file that follows it needs a comparison per stretch. Whatever does not fit is walked over
element by element, as the first file was.

Nothing that is kept escapes the judgement that it gets in the walk. A stretch is only taken over when all of its bytes
are those that the same walk, knowing the same identifiers, has judged; a file whose stretch differs in one byte does
not follow. Each element between is judged with its own bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airlock.deid.stream.table import BINARY, DROP, MISSING, NUMERIC, STOP, TAKE, TIME, Plan
from airlock.dicomio.head import Irregular

if TYPE_CHECKING:
    from airlock.deid.stream.walk import Walk

# What is done with elements that differ, beside the sorts of the table that are judged together.
_DROPPED: Final = -1
_CONSTANT: Final = -2
_TAKEN: Final = -3
_LOOKED_UP: Final = -4
# Longer headers are mostly of objects that no other follows.
_LONGEST_BYTES = 1 << 20
_MOST_LAYOUTS = 8
Place = int
"""Of a piece that is not there yet: the tag of an element that is taken or stamped, or ~n for the nth that differs."""


class Element(NamedTuple):
    """One element of the top level: where it starts and ends."""

    plan: Plan
    start: int
    stop: int


class Followed(NamedTuple):
    """What a file is that follows a layout.

    :param news: what becomes of the elements that differ, but for those that go in any case.
    :param taken: of these the ones that were asked for: as they are, and what becomes of them.
    :param position: where the header ends.
    """

    news: list[bytes]
    taken: dict[int, tuple[bytes, bytes]]
    position: int


class Layout:
    """The elements that a walk met in files which have the same ones.

    :param pieces: of the output, with the places of those that differ.
    :param taken: elements that were asked for and are the same in all files.
    :param varying: numbers of the elements that differ.
    :param ready: for whoever makes headers of the pieces.
    """

    def __init__(self, walk: Walk, data: bytes, elements: list[Element], varying: set[int], *, pixels: bool) -> None:
        self.heads = _heads(walk, data, elements)
        self.varying = varying
        self.pieces: list[bytes | Place] = []
        self.taken: dict[int, tuple[bytes, bytes]] = {}
        self.ready: dict[object, Any] = {}
        self._data = data[elements[0].start : elements[-1].stop]
        self._first = elements[0].start
        self._bounds = [(element.start, element.stop) for element in elements]
        self._steps: list[tuple[bytes, int, Callable[[bytes, int], tuple[int, ...]], int, int, int, Plan]] = []
        self._ends_in_pixels = pixels
        self._build(walk, data, elements)

    def _build(self, walk: Walk, data: bytes, elements: list[Element]) -> None:
        memo, marks, at, slots = walk.memo.get, walk.marks, 0, 0
        begun = run = elements[0].start
        for number, (plan, start, stop) in enumerate(elements):
            places = []
            while plan.tag >= marks[at]:
                places.append(marks[at])
                at += 1
            element = data[start:stop]
            new = memo(element, MISSING) if plan.act != DROP else b""
            differs = number in self.varying or new is MISSING
            if not differs and new is None and not places and plan.act != TAKE:
                continue
            # What becomes of all between is known: each was judged when the file was walked over.
            if run < start:
                self.pieces.append(data[run:start])
            self.pieces += places
            run = stop
            if not differs:
                if plan.act == TAKE:
                    self.taken[plan.tag] = (element, element if new is None else new)
                elif new is None:
                    run = start
                elif new:
                    self.pieces.append(new)
                continue
            kind = _kind(plan)
            self._steps.append(
                (data[begun : start + walk.width], start - begun, plan.unpack, plan.at, plan.base, kind, plan)
            )
            begun = stop
            if kind not in (_DROPPED, _TAKEN):
                self.pieces.append(~slots)
                slots += 1
        if run < elements[-1].stop:
            self.pieces.append(data[run : elements[-1].stop])
        self.pieces.extend(marks[at:-1])
        self._rest, self._rest_size = data[begun : elements[-1].stop], elements[-1].stop - begun
        if self._ends_in_pixels:
            self._rest += data[elements[-1].stop : elements[-1].stop + walk.width]

    def follow(self, walk: Walk, data: bytes, position: int) -> Followed | None:
        """Return what becomes of the elements of a file that differ; None when it does not follow this layout.

        :raises Exception: of any kind, when the file is to be walked over instead.
        """
        end, memo = len(data), walk.memo.get
        news: list[bytes] = []
        judged: dict[int, list[bytes]] = {}
        taken: dict[int, tuple[bytes, bytes]] = {}
        for run, size, unpack, at, base, kind, plan in self._steps:
            if not data.startswith(run, position):
                return None
            position += size
            stop = position + base + unpack(data, position + at)[0]
            if stop > end:
                stop = walk.end_of(plan, data, position, end)
            if kind > 0:
                judged.setdefault(kind, []).append(data[position + base : stop])
                news.append(data[position:stop])
            elif kind == _CONSTANT:
                news.append(plan.constant or b"")
            elif kind != _DROPPED:
                element = data[position:stop]
                new = memo(element, MISSING)
                if new is MISSING:
                    new = walk.become(plan, data, position, stop)
                if kind == _TAKEN:
                    taken[plan.tag] = element, element if new is None else new
                else:
                    news.append(element if new is None else new)
            position = stop
        if not data.startswith(self._rest, position):
            return None
        position += self._rest_size
        if not self._ends_in_pixels and position != end:
            return None
        if not all(walk.may_stay(sort, values) for sort, values in judged.items()):
            return None
        return Followed(news, taken, position)

    def elements_that_differ(self, data: bytes, elements: list[Element]) -> set[int]:
        """Return the numbers of the elements of a file that differ from those of the file this was learned from."""
        own, first = self._data, self._first
        return {
            number
            for number, ((start, stop), element) in enumerate(zip(self._bounds, elements, strict=True))
            if own[start - first : stop - first] != data[element.start : element.stop]
        }


def _kind(plan: Plan) -> int:
    if plan.act == DROP:
        return _DROPPED
    if plan.act == TAKE:
        return _TAKEN
    if plan.constant is not None and not plan.tells:
        return _CONSTANT
    return plan.sort if plan.sort in (NUMERIC, TIME, BINARY) and not plan.tells else _LOOKED_UP


def _heads(walk: Walk, data: bytes, elements: Iterable[Element]) -> bytes:
    return b"".join([data[element.start : element.start + walk.width] for element in elements])


class Series:
    """The layouts of the files that one walk is for."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._layouts: list[Layout] = []
        self._last: tuple[bytes, int, int] | None = None

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
        last, self._last = self._last, (data, start, stop)
        if last is None:
            return
        elements = self._elements(data, start, stop)
        heads = _heads(self._walk, data, elements)
        pixels = self._at_pixels(data, stop)
        known = next((layout for layout in self._layouts if layout.heads == heads), None)
        if known is None:
            before = self._elements(*last)
            if _heads(self._walk, last[0], before) != heads:
                return
            known = Layout(self._walk, last[0], before, set(), pixels=pixels)
        else:
            self._layouts.remove(known)
        varying = known.varying | known.elements_that_differ(data, elements)
        self._layouts.insert(0, Layout(self._walk, data, elements, varying, pixels=pixels))
        del self._layouts[_MOST_LAYOUTS:]

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
