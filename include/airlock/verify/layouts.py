"""Read the elements of a dataset by how those of earlier files lay, and parse only what lies otherwise.

The headers of a series have the same elements of the same lengths, but for a few. A run of elements is known by the
bytes of their heads (tag, VR, length), which were parsed once; where the heads of the next file are the same bytes, so
are their places. Whatever is not known is parsed by :mod:`airlock.verify.parser`, which has the last word: what a run
accepts is what the parser accepted, byte for byte, as a head says all that the parser asks of an element that is no
sequence, and sequences are parsed whenever their bytes are new.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import compress
from operator import ne

from airlock.verify.levels import Element, Level, Order, Short
from airlock.verify.parser import SHORT_VRS, parse_level

_UNDEFINED = b"\xff\xff\xff\xff"
_MOST_RUNS, _MOST_SEQUENCES, _LONGEST_SEQUENCE = 4096, 2048, 32 << 10
_LONGEST_RUN = 256 << 10
_MOST_ENDLESS = 8
# What differs between series makes runs short. When a header took so many, and the last time is so many files ago, how
# it lies is learned anew.
_MANY_USED, _LEAST_AGE = 40, 16
_new = tuple.__new__


@dataclass(frozen=True, slots=True)
class _Part:
    """One element of a run.

    :param head: its bytes up to the value.
    :param size: of its value.
    :param sequence: whether its value is items.
    """

    tag: int
    vr: bytes
    head: bytes
    size: int
    sequence: bool


class _Run:
    """Elements that follow each other, with the latest bytes that they had."""

    __slots__ = ("elements", "first", "heads", "last", "parts", "raw", "size", "unpack", "values")

    def __init__(self, parts: tuple[_Part, ...]) -> None:
        self.parts = parts
        self.heads = tuple(part.head for part in parts)
        self.first, self.last = parts[0].tag, parts[-1].tag
        self.size = sum(len(part.head) + part.size for part in parts)
        self.unpack = struct.Struct("".join(f"{len(part.head)}s{part.size}s" for part in parts)).unpack
        self.raw, self.elements = b"", dict[int, Element]()
        self.values: tuple[bytes | None, ...] = (None,) * len(parts)


@dataclass(slots=True)
class _Endless:
    """Sequences of undefined length that began with one head: their bytes from head to delimiter, and what they are."""

    known: list[tuple[bytes, Element]] = field(default_factory=list)


class Layouts:
    """Reads datasets in one encoding.

    :param strict: as :func:`airlock.verify.parser.parse_level` has it.
    :param below: stop before the first element with this tag or a greater one.
    """

    def __init__(self, order: Order, *, strict: bool, below: int) -> None:
        self._order, self._strict, self._below = order, strict, below
        self._runs: dict[bytes, _Run | _Endless] = {}
        self._sequences: dict[bytes, Element] = {}
        self._used = self._age = 0

    def level(self, data: bytes, position: int, size: int) -> tuple[Level, int]:
        """Parse the elements of a dataset; the arguments and what it returns are those of the parser.

        :raises Malformed: when the bytes are not understood.
        :raises Short: when more of the file is needed.
        """
        level, end = Level(self._order), -1
        if self._runs:
            end = self._known(data, position, size, level)
        if end < 0:
            # Nothing is known; or elements are out of order, or twice: whether that may be, the parser decides.
            level, end = parse_level(data, position, size, self._order, strict=self._strict, below=self._below)
        self._age += 1
        if not self._runs or len(self._runs) > _MOST_RUNS or (self._used > _MANY_USED and self._age > _LEAST_AGE):
            self._age = 0
            self._runs.clear()
            self._learn(data, position, level)
        return level, end

    def _known(self, data: bytes, position: int, size: int, level: Level) -> int:
        """Read by what is known; return where the level ends, negative when it must be parsed whole."""
        elements, runs, last = level.elements, self._runs, -1
        self._used = 0
        while True:
            self._used += 1
            run = runs.get(data[position : position + 8]) or runs.get(data[position : position + 12])
            if type(run) is _Run and run.first > last:
                end = position + run.size
                if len(data) < end <= size:
                    raise Short(end)
                raw = data[position:end]
                if raw == run.raw or (end <= size and self._read(run, raw)):
                    elements.update(run.elements)
                    position, last = end, run.last
                if end <= size:
                    # Read, or split: then what its first elements are now is known by the same head.
                    continue
            if type(run) is _Endless:
                found = next((each for each in run.known if data.startswith(each[0], position)), None)
                tag = self._tag(data, position)
                if found is not None and tag > last:
                    elements[tag] = found[1]
                    position, last = position + len(found[0]), tag
                    continue
            before = position
            position = self._unknown(data, position, size, level)
            if position == before:
                return position
            tag = next(reversed(elements), -1)
            if position < 0 or tag <= last:
                return -1
            last = tag

    def _unknown(self, data: bytes, position: int, size: int, level: Level) -> int:
        """Parse one element, and learn it; negative when there is more than one, or it is there already."""
        if position >= size:
            return position
        below = self._below
        if position + 8 <= len(data):
            tag = self._tag(data, position)
            if tag >= below:
                return position
            below = tag + 1
        found, end = parse_level(data, position, size, self._order, strict=self._strict, below=below)
        if len(found.elements) > 1 or not found.elements.keys().isdisjoint(level.elements):
            return -1
        level.elements.update(found.elements)
        self._learn(data, position, found)
        return end

    def _tag(self, data: bytes, position: int) -> int:
        group, number, _length = self._order.plain_head(data, position)
        return int(group << 16 | number)

    def _read(self, run: _Run, raw: bytes) -> bool:
        """Read the values of a run; where a head is another than before, split the run there, and say no."""
        found = run.unpack(raw)
        heads = found[::2]
        if heads != run.heads:
            self._split(run, next(n for n, (one, two) in enumerate(zip(heads, run.heads, strict=True)) if one != two))
            return False
        values = found[1::2]
        elements = run.elements.copy()
        for part, value in compress(zip(run.parts, values, strict=True), map(ne, values, run.values)):
            if part.sequence:
                elements[part.tag] = self._sequence(part, value)
            else:
                elements[part.tag] = _new(Element, (part.vr, value, None))
        run.raw, run.values, run.elements = raw, values, elements
        return True

    def _sequence(self, part: _Part, value: bytes) -> Element:
        """Return a sequence of defined length; its bytes are parsed when they are new."""
        raw = part.head + value
        found = self._sequences.get(raw)
        if found is None:
            level, _end = parse_level(raw, 0, len(raw), self._order, strict=self._strict)
            found = level.elements[part.tag]
            if len(raw) <= _LONGEST_SEQUENCE:
                if len(self._sequences) >= _MOST_SEQUENCES:
                    self._sequences.clear()
                self._sequences[raw] = found
        return found

    def _split(self, run: _Run, at: int) -> None:
        """Make three runs of one: what lay as before, what did not, and what follows."""
        for parts in (run.parts[:at], run.parts[at : at + 1], run.parts[at + 1 :]):
            if parts:
                self._add(parts)

    def _add(self, parts: tuple[_Part, ...]) -> None:
        self._runs[parts[0].head] = _Run(parts)

    def _learn(self, data: bytes, position: int, level: Level) -> None:
        """Learn how the elements lie that were parsed."""
        parts: list[_Part] = []
        last, size = -1, 0
        for tag, element in level.elements.items():
            head_size = 8 if self._order.implicit or element.vr in SHORT_VRS else 12
            head = data[position : position + head_size]
            endless = head.endswith(_UNDEFINED) and (self._order.implicit or head_size == 12)
            if tag <= last or endless or size > _LONGEST_RUN:
                if parts:
                    self._add(tuple(parts))
                    parts, size = [], 0
                if tag <= last:
                    return
            if self._tag(data, position) != tag:
                return
            if endless:
                position = self._learn_endless(data, position, head, element)
            else:
                parts.append(_Part(tag, element.vr, head, len(element.value), element.items is not None))
                position += head_size + len(element.value)
                size += len(element.value)
            last = tag
        if parts:
            self._add(tuple(parts))

    def _learn_endless(self, data: bytes, position: int, head: bytes, element: Element) -> int:
        end = position + len(head) + len(element.value)
        if element.items is not None:
            # The value ends before the delimiter of the sequence, that of fragments after it.
            end += 8
        raw = data[position:end]
        run = self._runs.get(head)
        if not isinstance(run, _Endless):
            run = self._runs[head] = _Endless()
        if len(raw) <= _LONGEST_SEQUENCE:
            run.known.insert(0, (raw, element))
            del run.known[_MOST_ENDLESS:]
        return end
