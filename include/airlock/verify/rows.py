"""Items of a sequence that lie alike, such as those of the frames of an object: most is judged for all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from airlock.tuples import NamedTuple
from airlock.verify.allowed import Rule, Rules
from airlock.verify.found import NOTHING, Found, Pair
from airlock.verify.iods import types_of
from airlock.verify.items import CONTENT
from airlock.verify.judge import Judge
from airlock.verify.levels import Element
from airlock.verify.place import Place, depends
from airlock.verify.table import DUMMY, EMPTY
from airlock.verify.text import CHARSET

FEWEST = 4
"""Of fewer items, each is judged alone."""
Within = Callable[[Place, int, Element, frozenset[str]], Found]


class Row(NamedTuple):
    """What is known of several items.

    :param quiet: tags of attributes in which nothing is wrong in any of them.
    :param pairs: what UIDs in these stand for.
    """

    quiet: frozenset[int]
    pairs: list[Pair]


class Rows:
    """Looks at items of sequences attribute by attribute.

    :param within: compares one sequence in an item, and remembers what it found.
    """

    def __init__(self, rules: Rules, judge: Judge, within: Within) -> None:
        self._rules, self._judge, self._within = rules, judge, within

    def __repr__(self) -> str:
        return "<Rows>"

    def of(self, sop_class_uid: str, places: Sequence[Place]) -> Row | None:
        """Return what is the same of all items; None where they do not lie alike, or anything is missing in one.

        :param places: items of one sequence, each beside the one that it came from.
        """
        first = places[0]
        tags = first.output.elements.keys()
        if first.path[-1] == CONTENT or CHARSET in tags:
            # What is allowed depends on what a content item is about; and what text says, on its character set.
            return None
        for _, output, source, charsets, _ in places:
            if source is None or charsets != first.charsets:
                return None
            if output.elements.keys() != tags or source.elements.keys() != tags:
                return None
        types = types_of(sop_class_uid, first.path[-1])
        # Where all have the same attributes, none is missing.
        needed = [tag for tag in tags if types.of(tag) in ("1", "1C")]
        if any(place.output.elements[tag].empty for tag in needed for place in places):
            return None
        quiet, pairs = set(), []
        for tag in tags:
            found = self._column(sop_class_uid, places, tag)
            if found is not None:
                quiet.add(tag)
                pairs += found
        return Row(frozenset(quiet), pairs)

    def _column(self, sop_class_uid: str, places: Sequence[Place], tag: int) -> list[Pair] | None:
        """Return which UIDs stand for which in an attribute; None when each item must be judged alone."""
        ours = [place.output.elements[tag] for place in places]
        theirs = [place.source.elements[tag] for place in places if place.source is not None]
        first = ours[0]
        if depends(tag) or any(element.vr != first.vr for element in ours):
            return None
        rule = self._rules.of(sop_class_uid, places[0], tag, first.vr)
        if any(element.items is not None for element in (*ours, *theirs)):
            return self._sequences(sop_class_uid, places, tag, rule)
        raws, before = [element.value for element in ours], [element.value for element in theirs]
        charsets = places[0].charsets
        if are_kept(self._judge, rule, raws, before, charsets[0]):
            return []
        if rule.vr == b"UI":
            return self._uids(tag, rule, zip(raws, before, strict=True), charsets)
        if all(self._judge.is_only_dummy(rule.vr, raw, charsets[0], rule.allowed) for raw in set(raws)):
            return []
        return None

    def _uids(
        self, tag: int, rule: Rule, values: Iterable[tuple[bytes, bytes]], charsets: tuple[bytes, bytes]
    ) -> list[Pair] | None:
        pairs: list[Pair] = []
        for raw, before in values:
            found = self._judge.element(tag, rule.vr, raw, before, charsets, rule.allowed) if raw else None
            if found is None or found.problems or found.offsets or found.lost:
                return None
            pairs += found.pairs
        return pairs

    def _sequences(self, sop_class_uid: str, places: Sequence[Place], tag: int, rule: Rule) -> list[Pair] | None:
        """Return the same of a sequence in every item."""
        if not rule.allowed or EMPTY in rule.allowed or rule.allowed == {DUMMY}:
            return None
        # What is the same bytes is the same object.
        different: dict[tuple[int, int], tuple[Place, Element]] = {}
        inner: list[Place] = []
        path = (*places[0].path, tag)
        for place in places:
            if place.source is None:
                return None
            element, other = place.output.elements[tag], place.source.elements[tag]
            if element.items is None or other.items is None or len(element.items) != len(other.items):
                return None
            key = (id(element.items), id(other.items))
            if key not in different:
                different[key] = place, element
                for item, source in zip(element.items, other.items, strict=True):
                    inner.append(Place(path, item, source, place.charsets))
        if len(inner) < FEWEST:
            several = [self._within(place, tag, element, rule.allowed) for place, element in different.values()]
            return [] if all(found is NOTHING for found in several) else None
        found = self.of(sop_class_uid, inner)
        return found.pairs if found is not None and found.quiet == inner[0].output.elements.keys() else None


def are_kept(judge: Judge, rule: Rule, raws: Sequence[bytes], before: Sequence[bytes], charset: bytes) -> bool:
    """Whether all outputs keep the values of their inputs, as they may, and no value identifies anybody."""
    if not rule.same or raws != before:
        return False
    different = set(raws)
    if rule.may_be_empty:
        different.discard(b"")
    return judge.are_harmless(rule.vr, different, charset)
