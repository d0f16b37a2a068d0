"""The shape of an item: tags, VRs and lengths of all elements in it, at every level, without their values.

Items of one shape differ in bytes at the same places. So their values can be read as columns, and what they become can
be put together from pieces that are known for all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from airlock.deid.concepts import CONTENT_SEQUENCES
from airlock.deid.decide import Context
from airlock.deid.stream.output import FIXED, LOOKED_UP, MAPPED, Leaf, Nest, Part, put_together
from airlock.deid.stream.table import ALONE, DROP, UID, Plan, Table
from airlock.dicomio.head import UNDEFINED, Irregular, end_of_sequence
from airlock.typed import Protocol

_tag_and_length = struct.Struct("<II").unpack_from
_ITEM = 0xE000FFFE
_CHARACTER_SET = 0x00080005
_DEEPEST = 32


class Around(Protocol):
    """What a shape asks of the walk over the sequences that the items are in."""

    implicit: bool
    width: int

    def table(self, context: Context) -> Table:
        """Return the table for the elements of items."""

    def asks(self, context: Context) -> bool:
        """Whether the table depends on the item."""

    def end_of(self, plan: Plan, data: bytes, position: int, end: int) -> int:
        """Return the end of an element of undefined length."""


class Shape:
    """The shape of items of one length.

    :raises Irregular: when the item cannot be read as it should be.
    """

    def __init__(self, around: Around, item: bytes, context: Context) -> None:
        self._around, self._item = around, item
        self._implicit, self._size = around.implicit, len(item)
        self.leaves: list[Leaf] = []
        self._children = self._elements(0, len(item), context, 0)
        self._whole = struct.Struct(self._format(self.leaves))
        self._heads = self._whole.unpack(item)[::2]
        # Of the leaves that differed in items of one sequence: what is the same is compared in longer runs.
        self._varying: list[Leaf] = []
        self._runs = struct.Struct(f"{len(item)}s")
        self._parts: dict[tuple[tuple[int, ...], tuple[int, ...]], list[Part]] = {}
        # It is kept for other patients, too: nothing of this one's values may be in it.
        del self._around, self._item

    def values(self, item: bytes) -> tuple[bytes, ...] | None:
        """Return the values of an item of the same length; None when it is of another shape."""
        found = self._whole.unpack(item)
        return found[1::2] if found[::2] == self._heads else None

    def columns(self, items: list[bytes]) -> list[Sequence[bytes]] | None:
        """Return the values of items of the same length by leaves, a single one where it is the same in all items.

        :return: None when they are not all of this shape.
        """
        joined = b"".join(items)
        if not joined:
            return []
        first = self.values(items[0])
        if first is None:
            return None
        found = list(zip(*self._runs.iter_unpack(joined), strict=True))
        if not all(map(_is_same, found[::2])):
            found = list(zip(*self._whole.iter_unpack(joined), strict=True))
            if not all(map(_is_same, found[::2])):
                return None
            known = {leaf.number for leaf in self._varying}
            self._varying = [
                leaf
                for leaf, column in zip(self.leaves, found[1::2], strict=True)
                if leaf.number in known or not _is_same(column)
            ]
            self._runs = struct.Struct(self._format(self._varying))
            found = list(zip(*self._runs.iter_unpack(joined), strict=True))
        columns: list[Sequence[bytes]] = [(value,) for value in first]
        for leaf, column in zip(self._varying, found[1::2], strict=True):
            if not _is_same(column):
                columns[leaf.number] = column
        return columns

    def parts(self, given: tuple[int, ...], sizes: tuple[int, ...]) -> list[Part]:
        """Return what items become.

        :param given: numbers of the columns for which bytes are given, and
        :param sizes: how many.
        """
        known = self._parts.get((given, sizes))
        if known is None:
            if len(self._parts) > 256:
                self._parts.clear()
            news = {column: (number, size) for number, (column, size) in enumerate(zip(given, sizes, strict=True))}
            known = self._parts[given, sizes] = put_together(self._children, news, implicit=self._implicit)
        return known

    def _format(self, leaves: list[Leaf]) -> str:
        """Return how bytes are split into what is around the values of leaves, and those values, by turns."""
        position, fields = 0, []
        for leaf in leaves:
            value = leaf.start + len(leaf.head)
            fields.append(f"{value - position}s{leaf.stop - value}s")
            position = leaf.stop
        return "<" + "".join(fields) + f"{self._size - position}s"

    def _elements(self, position: int, end: int, context: Context, depth: int) -> list[Leaf | Nest]:
        around, item, last = self._around, self._item, -1
        table, width = around.table(context), around.width
        if depth > _DEEPEST:
            raise Irregular
        nodes: list[Leaf | Nest] = []
        while position < end:
            head = item[position : position + width]
            plan = table.plans.get(head) or table.plan(head)
            stop = position + plan.base + plan.unpack(item, position + plan.at)[0]
            if stop > end:
                stop = around.end_of(plan, item, position, end)
            if plan.tag <= last:
                raise Irregular
            inner = self._entered(plan, item[position : position + plan.base])
            if inner is None:
                nodes.append(self._leaf(plan, context, position, stop))
            else:
                nodes.append(self._sequence(plan, inner, position, stop, depth))
            position, last = stop, plan.tag
        return nodes

    def _entered(self, plan: Plan, head: bytes) -> Context | None:
        """Return where the elements of a sequence's items stand, if they are nothing but looked at one by one."""
        decision = plan.decision
        regular = self._implicit or head[4:8] == b"SQ\0\0"
        if plan.act == DROP or decision.vr != "SQ" or not regular or decision.items is None:
            return None
        asks = decision.needs_dataset or decision.letter == "D" or decision.keyword in CONTENT_SEQUENCES
        return None if asks or self._around.asks(decision.items) else decision.items

    def _leaf(self, plan: Plan, context: Context, start: int, stop: int) -> Leaf:
        kind, fixed, tells = LOOKED_UP, b"", False
        dates = plan.tells and plan.base == 8 and plan.decision.vr in ("DA", "DT")
        if plan.act == DROP:
            kind = FIXED
        elif plan.tag == _CHARACTER_SET or plan.decision.hold or plan.decision.needs_dataset:
            pass
        elif not plan.tells or dates:
            tells = plan.tells
            if plan.constant is not None:
                kind, fixed = FIXED, plan.constant
            elif plan.decision.letter == "X" and plan.base == 8:
                kind = FIXED
            elif plan.sort not in (ALONE, UID) and not tells:
                kind = plan.sort
        if plan.sort == UID:
            kind = MAPPED
        head = self._item[start : start + plan.base]
        leaf = Leaf(plan, context, kind, head, start, stop, len(self.leaves), fixed, tells and kind == FIXED)
        self.leaves.append(leaf)
        return leaf

    def _sequence(self, plan: Plan, context: Context, start: int, stop: int, depth: int) -> Nest:
        item = self._item
        undefined = plan.unpack(item, start + plan.at)[0] == UNDEFINED
        position, end = start + plan.base, stop - 8 if undefined else stop
        items: list[Leaf | Nest] = []
        while position < end:
            tag, length = _tag_and_length(item, position)
            first = position + 8
            if tag != _ITEM:
                raise Irregular
            behind = first + length
            if length == UNDEFINED:
                behind = end_of_sequence(item, first, end, implicit=self._implicit, item=True)
            if behind > end:
                raise Irregular
            open_ended = length == UNDEFINED
            children = self._elements(first, behind - 8 if open_ended else behind, context, depth + 1)
            items.append(Nest(None, position, first, behind, open_ended, children))
            position = behind
        return Nest(plan.tag, start, start + plan.base, stop, undefined, items)


def _is_same(column: Sequence[bytes]) -> bool:
    return column.count(column[0]) == len(column)
