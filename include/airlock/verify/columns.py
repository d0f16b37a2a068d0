"""What objects of one shape hold at the same place: a column, most of which is judged by looking at it once."""

from __future__ import annotations

from collections.abc import Sequence

from airlock.verify.levels import Element, Level
from airlock.verify.table import MAP, SAME, Table
from airlock.verify.text import vr_of


def column(levels: Sequence[Level], tag: int) -> list[Element | None]:
    """Return the elements of an attribute in levels of one shape, None where it is absent."""
    shape = levels[0].shape
    assert shape is not None
    place = shape.places.get(tag)
    if place is None:
        return [shape.elements.get(tag)] * len(levels)
    return [level.varied[place] for level in levels]


def indifferent(table: Table, tag: int, element: Element | None) -> bool:
    """Whether it says nothing of an output that it lacks this attribute of its input, whatever the value was.

    :param element: of one of the inputs.
    """
    if element is None or element.items is not None or SAME in table.allowed((), tag):
        return False
    return table.removable((), tag) or vr_of(tag, element.vr) != b"UI" or MAP not in table.allowed((), tag)
