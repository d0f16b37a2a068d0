"""Files of a series: what they have in common is compared as a whole, and only what differs is looked at.

A layout is learned from two files with the same elements: stretches whose bytes were the same in both, and between them
the elements that differ. A file that follows it needs a comparison per stretch. Whatever does not fit is walked over
element by element, as the first file was.

Nothing that is kept escapes the judgement that it gets in the walk. A stretch is only taken over when all of its bytes
are those that the same walk, knowing the same identifiers, has judged; a file whose stretch differs in one byte does
not follow. Each element between is judged with its own bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from airlock.deid.stream.table import BINARY, DROP, MISSING, NUMERIC, TAKE, TIME, Plan
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airlock.deid.stream.walk import Walk

# What is done with elements that differ, beside the sorts of the table that are judged together.
_DROPPED: Final = -1
_CONSTANT: Final = -2
_TAKEN: Final = -3
_LOOKED_UP: Final = -4
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
        self.heads = heads_of(walk, data, elements)
        self.varying = varying
        self.pieces: list[bytes | Place] = []
        self.taken: dict[int, tuple[bytes, bytes]] = {}
        self.ready: dict[object, Any] = {}
        self._data, self._elements = data[: elements[-1].stop], elements
        self._steps: list[tuple[bytes, int, Callable[[bytes, int], tuple[int, ...]], int, int, int, Plan]] = []
        self._ends_in_pixels = pixels
        # What becomes of those that are the same: each was judged when the file was walked over, or it varies, too.
        memo = walk.memo.get
        becoming = [
            MISSING if number in varying else b"" if plan.act == DROP else memo(data[start:stop], MISSING)
            for number, (plan, start, stop) in enumerate(elements)
        ]
        self._lay_out(walk.marks, data, elements, becoming)
        self._set_steps(walk.width, data, elements, becoming)

    def _lay_out(
        self, marks: tuple[int, ...], data: bytes, elements: list[Element], becoming: list[bytes | None]
    ) -> None:
        """Set the pieces of the output, and what is taken."""
        pieces, at, slots = self.pieces, 0, 0
        run = elements[0].start
        for (plan, start, stop), new in zip(elements, becoming, strict=True):
            begin = at
            while plan.tag >= marks[at]:
                at += 1
            if new is None and at == begin:
                continue
            pieces += [data[run:start], *marks[begin:at]]
            run = stop
            if plan.act == TAKE:
                if new is not MISSING:
                    element = data[start:stop]
                    self.taken[plan.tag] = (element, element if new is None else new)
            elif new is None:
                run = start
            elif new is not MISSING:
                pieces.append(new)
            elif plan.act != DROP:
                pieces.append(~slots)
                slots += 1
        pieces += [data[run : elements[-1].stop], *marks[at:-1]]

    def _set_steps(self, width: int, data: bytes, elements: list[Element], becoming: list[bytes | None]) -> None:
        """Set what a file is compared with, from one element that varies to the next."""
        begun = elements[0].start
        for (plan, start, stop), new in zip(elements, becoming, strict=True):
            if new is MISSING:
                run = data[begun : start + width]
                self._steps.append((run, start - begun, plan.unpack, plan.at, plan.base, _kind(plan), plan))
                begun = stop
        end = elements[-1].stop
        self._rest, self._rest_size = data[begun:end], end - begun
        if self._ends_in_pixels:
            self._rest += data[end : end + width]

    def follow(self, walk: Walk, data: bytes, position: int) -> Followed | None:  # noqa: C901 - calls cost too much
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

    def elements_thatdiffer(self, data: bytes, elements: list[Element]) -> set[int]:
        """Return the numbers of the elements of a file that differ from those of the file this was learned from."""
        return differ(self._data, self._elements, data, elements)


def differ(data: bytes, elements: list[Element], other: bytes, others: list[Element]) -> set[int]:
    """Return the numbers of the elements that differ in two files."""
    return {
        number
        for number, ((_, start, stop), (_, begin, end)) in enumerate(zip(elements, others, strict=True))
        if data[start:stop] != other[begin:end]
    }


def _kind(plan: Plan) -> int:
    if plan.act == DROP:
        return _DROPPED
    if plan.act == TAKE:
        return _TAKEN
    if plan.constant is not None and not plan.tells:
        return _CONSTANT
    return plan.sort if plan.sort in (NUMERIC, TIME, BINARY) and not plan.tells else _LOOKED_UP


def heads_of(walk: Walk, data: bytes, elements: Iterable[Element]) -> bytes:
    """Return what all elements begin with: tags and VRs."""
    return b"".join([data[element.start : element.start + walk.width] for element in elements])
