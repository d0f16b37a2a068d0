"""What objects of one shape hold at the same place: a column, most of which is judged by looking at it once."""

from __future__ import annotations

from collections.abc import Sequence

from airlock.verify.allowed import Rules
from airlock.verify.compare import Comparison
from airlock.verify.found import Found, together
from airlock.verify.judge import Judge
from airlock.verify.levels import Element, Level
from airlock.verify.place import Place, depends
from airlock.verify.rows import are_kept
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


class Columns:
    """Compares many datasets of one shape with their inputs, attribute by attribute.

    :param comparison: compares single ones, and what must be looked at in each.
    """

    def __init__(self, comparison: Comparison, rules: Rules, judge: Judge) -> None:
        self._comparison, self._rules, self._judge = comparison, rules, judge

    def datasets(self, outputs: Sequence[Level], sources: Sequence[Level], sop_class_uid: str) -> list[Found]:
        """Compare datasets of one shape with inputs of one shape, in all of which class and character set are the same.

        :return: what was found in each output.
        """
        comparison = self._comparison
        place, remembered = comparison.begin(outputs[0], sources[0], sop_class_uid)
        settled = comparison.settled(place, sources[0], remembered)
        found: list[list[Found]] = [[settled.found] for _ in outputs]
        places = [Place((), one, other, place.charsets) for one, other in zip(outputs, sources, strict=True)]
        for tag in settled.output:
            ours, theirs = column(outputs, tag), column(sources, tag)
            if self._are_harmless(sop_class_uid, place, tag, ours, theirs):
                continue
            for here, each, element, other in zip(places, found, ours, theirs, strict=True):
                assert element is not None
                each.append(comparison.judged(here, tag, element, other, remembered))
        for tag in settled.gone:
            if tag >> 16 & 1 or indifferent(self._rules.table, tag, column(sources[:1], tag)[0]):
                continue
            for source, each in zip(sources, found, strict=True):
                each.append(comparison.gone(tag, source, remembered))
        for output, source, each in zip(outputs, sources, found, strict=True) if settled.valid else ():
            each.append(comparison.valid(output, source, settled.valid))
        return [together(each) for each in found]

    def _are_harmless(
        self,
        sop_class_uid: str,
        place: Place,
        tag: int,
        ours: Sequence[Element | None],
        theirs: Sequence[Element | None],
    ) -> bool:
        """Whether all outputs keep the values of their inputs, as they may, and no value identifies anybody."""
        first = ours[0]
        if depends(tag) or first is None or first.items is not None or theirs[0] is None:
            return False
        rule = self._rules.of(sop_class_uid, place, tag, first.vr)
        values = [element.value for element in ours if element is not None]
        before = [element.value for element in theirs if element is not None]
        return are_kept(self._judge, rule, values, before, place.charsets[0])
