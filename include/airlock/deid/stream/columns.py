"""Items of one shape, put together column by column: what is the same in all of them is taken from the first one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from airlock.deid.stream.output import FIXED, Leaf
from airlock.deid.stream.shape import Shape
from airlock.tuples import NamedTuple

Column = Sequence[bytes]
"""The values of one element in all items, in their order; a single one where it is the same in all."""
_Source = bytes | Column


class Alike(NamedTuple):
    """Items of one shape.

    :param numbers: which of the sequence's items they are.
    :param columns: of the shape's leaves, in their order.
    """

    shape: Shape
    numbers: list[int]
    columns: list[Column]


def put_together(alike: Alike, first: bytes, given: dict[int, Column]) -> Iterator[bytes]:
    """Yield what each of the items becomes.

    :param first: the first of them.
    :param given: columns of encoded elements, by the numbers of the leaves that become them.
    """
    sizes = list(zip(*(map(len, column) for column in given.values() if len(column) > 1), strict=True))
    if len(set(sizes)) < 2:
        yield from _of_one_size(alike, first, given, len(alike.numbers))
        return
    made = {size: _of_one_size(alike, first, given, sizes.count(size), size, sizes) for size in set(sizes)}
    for size in sizes:
        yield next(made[size])


def _of_one_size(
    alike: Alike,
    first: bytes,
    given: dict[int, Column],
    count: int,
    size: tuple[int, ...] = (),
    sizes: Sequence[tuple[int, ...]] = (),
) -> Iterator[bytes]:
    """Yield the same of those items whose new elements have the same sizes.

    :param count: how many they are.
    :param size: of them, and
    :param sizes: of all items; none where they are all of them.
    """

    def chosen(column: Column) -> Column:
        return [one for one, its in zip(column, sizes, strict=True) if its == size] if sizes else column

    news = [column[0] if len(column) == 1 else chosen(column) for column in given.values()]
    lengths = tuple(len(new if isinstance(new, bytes) else new[0]) for new in news)
    kept = [
        (leaf, chosen(column))
        for leaf, column in zip(alike.shape.leaves, alike.columns, strict=True)
        if len(column) > 1 and leaf.kind != FIXED and leaf.number not in given
    ]
    sources: list[_Source] = []
    for part in alike.shape.parts(tuple(given), lengths):
        if isinstance(part, slice):
            sources += _cut(first, part.start, part.stop, kept)
        else:
            sources.append(part if isinstance(part, bytes) else news[part])
    yield from _rows(sources, count)


def _cut(first: bytes, start: int, stop: int, kept: list[tuple[Leaf, Column]]) -> Iterator[_Source]:
    """Yield what stands in a part of the items: bytes that all have, and columns."""
    for leaf, column in kept:
        if start <= leaf.start < stop:
            yield first[start : leaf.start + len(leaf.head)]
            yield column
            start = leaf.stop
    yield first[start:stop]


def _rows(sources: list[_Source], count: int) -> Iterator[bytes]:
    """Yield the bytes of rows, of which some are the same in all."""
    merged: list[_Source] = []
    for source in sources:
        if merged and isinstance(source, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += source
        else:
            merged.append(source)
    columns = [repeat(source, count) if isinstance(source, bytes) else source for source in merged]
    yield from map(b"".join, zip(*columns, strict=True))
