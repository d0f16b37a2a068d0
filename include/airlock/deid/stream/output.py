"""What an item becomes whose shape is known: pieces of it, pieces that are the same for all, and what is given."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from airlock.deid.decide import Context
from airlock.deid.stream.table import Plan
from airlock.deid.stream.values import element_header
from airlock.dicomio.head import UNDEFINED
from airlock.tuples import NamedTuple
from airlock.typed import Final

_item_header = struct.Struct("<II").pack
_ITEM = 0xE000FFFE
_DELIMITERS = {True: struct.pack("<II", 0xE00DFFFE, 0), False: struct.pack("<II", 0xE0DDFFFE, 0)}
# What is done with a column, beside the sorts of the table that are judged together.
FIXED: Final = -1
"""It becomes the same whatever its values are."""
LOOKED_UP: Final = -2
MAPPED: Final = -3
"""UIDs, as they are mapped."""

Part = bytes | slice | int
"""Bytes of the output: known ones, those of the item, or the nth of those that are given for each item."""


class Leaf(NamedTuple):
    """One element whose value is a column.

    :param kind: what is done with it.
    :param head: its tag, VR and length.
    :param fixed: what it becomes whatever its value is.
    :param tells: its values are dates that are told of.
    """

    plan: Plan
    context: Context
    kind: int
    head: bytes
    start: int
    stop: int
    number: int
    fixed: bytes
    tells: bool


class Nest(NamedTuple):
    """A sequence, or an item of one, with what is in it; its header and delimiter are part of it."""

    tag: int | None
    start: int
    first: int
    stop: int
    undefined: bool
    children: list[Leaf | Nest]


def put_together(nodes: Sequence[Leaf | Nest], news: dict[int, tuple[int, int]], *, implicit: bool) -> list[Part]:
    """Return the parts that an item becomes.

    :param nodes: its elements.
    :param news: for columns that are given, which of those that are given they are, and their sizes.
    """
    return list(_joined(_Output(news, implicit=implicit).of(nodes)))


class _Output:
    """Puts together what an item becomes.

    :param news: for columns that are given, which of those that are given they are, and their sizes.
    """

    def __init__(self, news: dict[int, tuple[int, int]], *, implicit: bool) -> None:
        self._news, self._implicit = news, implicit
        self.size = 0
        self._changed = False

    def of(self, nodes: Sequence[Leaf | Nest]) -> list[Part]:
        """Return the parts of elements, or of items."""
        parts: list[Part] = []
        for node in nodes:
            parts += self._leaf(node) if isinstance(node, Leaf) else self._nest(node)
        return parts

    def _leaf(self, leaf: Leaf) -> list[Part]:
        if leaf.number in self._news:
            self._changed = True
            number, size = self._news[leaf.number]
            self.size += size
            return [number]
        if leaf.kind == FIXED:
            self._changed = True
            self.size += len(leaf.fixed)
            return [leaf.fixed]
        self.size += leaf.stop - leaf.start
        return [slice(leaf.start, leaf.stop)]

    def _nest(self, nest: Nest) -> list[Part]:
        before, changed = self.size, self._changed
        self.size, self._changed = 0, False
        inside = self.of(nest.children)
        if not self._changed:
            self.size, self._changed = before + nest.stop - nest.start, changed
            return [slice(nest.start, nest.stop)]
        length = UNDEFINED if nest.undefined else self.size
        if nest.tag is None:
            head = _item_header(_ITEM, length)
        else:
            head = element_header(nest.tag, b"SQ", length, implicit=self._implicit)
        tail = _DELIMITERS[nest.tag is None] if nest.undefined else b""
        self.size += before + len(head) + len(tail)
        return [head, *inside, tail]


def _joined(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield parts with those put together that follow each other."""
    last: Part = b""
    for part in parts:
        if isinstance(part, bytes) and isinstance(last, bytes):
            last += part
        elif isinstance(part, slice) and isinstance(last, slice) and last.stop == part.start:
            last = slice(last.start, part.stop)
        else:
            yield last
            last = part
    yield last
