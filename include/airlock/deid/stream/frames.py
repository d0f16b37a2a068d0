"""Items that are many and alike, as those of the frames of a multi-frame object: treated column by column.

A column holds the values of one element in all items of one shape. Columns that may stay are judged together
(:mod:`airlock.deid.stream.judge`); of all others each different value becomes what the walk makes of it. So what is
looked at is the same as when each item is walked over, and nothing is kept that was not looked at. Items of which a
column is not to stay as it is, though it should, are walked over one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from airlock.deid.decide import Context
from airlock.deid.stream.columns import Alike, Column, put_together
from airlock.deid.stream.output import LOOKED_UP, MAPPED, Leaf
from airlock.deid.stream.shape import Shape
from airlock.deid.stream.table import Plan, Table
from airlock.dicomio.head import Irregular
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.stream.sequences import Sequences
    from airlock.deid.stream.walk import Walk

FEWEST = 4
"""Fewer items are walked over one by one."""
# Of one kind of item. Where nearly every item has a shape of its own, reading shapes takes longer than walking.
_MOST_SHAPES, _MOST_NEW_SHAPES = 256, 24
# Of one length: each is tried.
_MOST_ALIKE = 8
_LONGEST_BYTES = 32 << 10
Shapes = dict[int, list[Shape]]


class Frames:
    """Treats items that are many."""

    def __init__(self, walk: Walk, sequences: Sequences, *, implicit: bool) -> None:
        self._walk, self._sequences = walk, sequences
        self.implicit, self.width = implicit, walk.width

    def table(self, context: Context) -> Table:
        """Return the table for the elements of items."""
        return self._sequences.table(context)

    def asks(self, context: Context) -> bool:
        """Whether what becomes of items depends on what is beside their elements."""
        return self._sequences.asks(context)

    def end_of(self, plan: Plan, data: bytes, position: int, end: int) -> int:
        """Return the end of an element of undefined length."""
        return self._walk.end_of(plan, data, position, end)

    def treat(self, items: list[bytes], table: Table) -> list[bytes]:
        """Return what becomes of items, without their headers.

        :raises Irregular: or another error, as the walk over one of them does.
        """
        news: list[bytes | None] = [None] * len(items)
        groups = self._groups(items, table)
        # Mostly, all may stay; if not, only what is around those that may not is walked over.
        together = self._may_stay(groups)
        for alike in groups:
            if together or self._may_stay([alike]):
                for number, new in zip(alike.numbers, self._made(alike, items), strict=True):
                    news[number] = new
        return [self._walk.item(item, table) if new is None else new for item, new in zip(items, news, strict=True)]

    def _groups(self, items: list[bytes], table: Table) -> list[Alike]:
        """Return items by their shapes, but for those that must be looked at one by one."""
        groups: list[Alike] = []
        sizes: dict[int, list[int]] = {}
        for number, item in enumerate(items):
            sizes.setdefault(len(item), []).append(number)
        for numbers in sizes.values():
            if len(groups) > _MOST_NEW_SHAPES:
                break
            shaped = self._shaped(items[numbers[0]], table)
            columns = shaped[0].columns([items[number] for number in numbers]) if shaped is not None else None
            if shaped is not None and columns is not None:
                groups.append(Alike(shaped[0], numbers, columns))
            else:
                groups += self._mixed(numbers, items, table)
        return groups

    def _mixed(self, numbers: list[int], items: list[bytes], table: Table) -> list[Alike]:
        """Return the same of items of one length."""
        found: dict[Shape, tuple[list[int], list[tuple[bytes, ...]]]] = {}
        for number in numbers:
            if (shaped := self._shaped(items[number], table)) is not None:
                those, rows = found.setdefault(shaped[0], ([], []))
                those.append(number)
                rows.append(shaped[1])
        return [
            Alike(shape, those, [column[:1] if len(set(column)) == 1 else column for column in zip(*rows, strict=True)])
            for shape, (those, rows) in found.items()
        ]

    def _may_stay(self, groups: list[Alike]) -> bool:
        """Whether all columns of some items may stay that should; if not, those items are looked at one by one."""
        judged: dict[int, set[bytes]] = {}
        for alike in groups:
            for leaf, column in zip(alike.shape.leaves, alike.columns, strict=True):
                if leaf.kind > 0:
                    judged.setdefault(leaf.kind, set()).update(column)
        # In order, so that what was asked is the same in every run.
        return all(self._walk.may_stay(sort, sorted(values)) for sort, values in judged.items())

    def _shaped(self, item: bytes, table: Table) -> tuple[Shape, tuple[bytes, ...]] | None:
        if len(item) > _LONGEST_BYTES:
            return None
        known = table.shapes.setdefault(len(item), [])
        for shape in known:
            values = shape.values(item)
            if values is not None:
                return shape, values
        if len(known) >= _MOST_ALIKE:
            return None
        try:
            shape = Shape(self, item, table.context)
        except (Irregular, struct.error):
            return None
        if sum(map(len, table.shapes.values())) >= _MOST_SHAPES:
            table.shapes.clear()
        table.shapes.setdefault(len(item), []).append(shape)
        return shape, shape.values(item) or ()

    def _made(self, alike: Alike, items: list[bytes]) -> Iterator[bytes]:
        """Return what becomes of items of one shape, whose columns may stay that should."""
        given: dict[int, Column] = {}
        teller = self._walk.teller
        for leaf, column in zip(alike.shape.leaves, alike.columns, strict=True):
            if leaf.tells and teller is not None:
                teller.tell_dates(leaf.plan.tag, set(column))
            if leaf.kind in (LOOKED_UP, MAPPED):
                times = len(alike.numbers) if len(column) == 1 else 1
                news = self._looked_up(leaf, column, times)
                if news is not None:
                    given[leaf.number] = news
        return put_together(alike, items[alike.numbers[0]], given)

    def _looked_up(self, leaf: Leaf, column: Column, times: int) -> Column | None:
        """Return what elements become that differ in their values; None when all stay.

        :param times: that each value stands there.
        """
        made: dict[bytes, bytes | None] | None = None
        if leaf.kind == MAPPED:
            made = self._walk.all_mapped(leaf.plan, leaf.head, dict.fromkeys(column))
        if made is None:
            made = self._one_by_one(leaf, column, times)
        if all(new is None for new in made.values()):
            return None
        whole = {value: leaf.head + value if new is None else new for value, new in made.items()}
        return [whole[value] for value in column]

    def _one_by_one(self, leaf: Leaf, column: Column, times: int) -> dict[bytes, bytes | None]:
        walk, table = self._walk, self.table(leaf.context)
        made: dict[bytes, bytes | None] = {}
        for value in dict.fromkeys(column):
            before = walk.unreadable_dates
            if leaf.kind == MAPPED:
                made[value] = walk.mapped(table, leaf.plan, leaf.head + value)
            else:
                made[value] = walk.element(table, leaf.plan, leaf.head + value)
            if walk.unreadable_dates != before:
                walk.unreadable_dates += (walk.unreadable_dates - before) * (column.count(value) * times - 1)
        return made
