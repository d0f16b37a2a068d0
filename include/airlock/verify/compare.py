"""Compare the datasets of an output and its input, level by level, without recursion.

The elements of a study's instances are mostly the same bytes: what was found in one pair of values is remembered for
the next instance, whole sequences at a time.
"""

from __future__ import annotations

from airlock.verify.allowed import Rules
from airlock.verify.found import NOTHING, Collected, Found, together
from airlock.verify.iods import types_of
from airlock.verify.items import CONTENT, align, allowed_content, has_text
from airlock.verify.judge import Judge
from airlock.verify.levels import Element, Level, same_items
from airlock.verify.missing import missing, not_valid
from airlock.verify.place import NEVER, Place, Remembered, Settled, depends, must_be_judged
from airlock.verify.rows import FEWEST, Rows
from airlock.verify.table import DUMMY, EMPTY, Allowance
from airlock.verify.text import charset_of, name_of

METHOD_CODES = 0x00120064
_MOST_REMEMBERED = 20_000
_DEEPEST_REMEMBERED = 4
_LONGEST_REMEMBERED = 64 << 10


class Comparison:
    """Compares datasets, remembering what was found."""

    def __init__(self, rules: Rules, judge: Judge) -> None:
        self._rules, self._judge = rules, judge
        self._rows = Rows(rules, judge, self._within)
        self._remembered: dict[tuple[object, ...], Remembered] = {}
        self._class = ""
        self._items = Remembered().items

    def dataset(self, output: Level, source: Level, sop_class_uid: str) -> Found:
        """Compare two datasets."""
        place, remembered = self.begin(output, source, sop_class_uid)
        if output.shape is None or source.shape is None:
            return self._whole(place, source, remembered)
        return self._rest(place, source, remembered, self.settled(place, source, remembered))

    def begin(self, output: Level, source: Level, sop_class_uid: str) -> tuple[Place, Remembered]:
        """Return where a comparison begins, and what is remembered of such objects."""
        self._class = sop_class_uid
        charsets = charset_of(output, b""), charset_of(source, b"")
        place = Place((), output, source, charsets)
        encodings = (output.order.implicit, output.order.little, source.order.implicit, source.order.little)
        key = (sop_class_uid, *charsets, *encodings)
        remembered = self._remembered.get(key)
        if remembered is None:
            remembered = self._remembered[key] = Remembered()
        self._items = remembered.items
        if len(remembered.by_value) > _MOST_REMEMBERED:
            remembered.by_value.clear()
        return place, remembered

    def settled(self, place: Place, source: Level, remembered: Remembered) -> Settled:
        """Return what is the same in all objects of two shapes, and which elements are not."""
        assert place.output.shape is not None and source.shape is not None  # noqa: PT018 - asked for where both are
        shapes = place.output.shape, source.shape
        settled = remembered.settled.get(shapes)
        if settled is None:
            settled = self._settle(place, source, remembered)
            remembered.settle(shapes, settled)
        return settled

    def _whole(self, place: Place, source: Level, remembered: Remembered) -> Found:
        """Compare everything."""
        gone = tuple(source.elements.keys() - place.output.elements.keys())
        everything = Settled(NOTHING, tuple(place.output.elements), gone, None)
        return self._rest(place, source, remembered, everything)

    def _settle(self, place: Place, source: Level, remembered: Remembered) -> Settled:
        """Judge what is the same in all objects of these two shapes."""
        output, gone = must_be_judged(place.output, source)
        varying = {*output, *gone}
        same = tuple(tag for tag in place.output.elements if tag not in varying)
        missing = tuple(source.elements.keys() - place.output.elements.keys() - varying)
        valid = frozenset(filter(types_of(self._class, 0).of, source.elements))
        part = Settled(NOTHING, same, missing, valid - varying)
        return Settled(self._rest(place, source, remembered, part), output, gone, valid & varying)

    def _rest(self, place: Place, source: Level, remembered: Remembered, settled: Settled) -> Found:
        """Judge what differs between objects of the same two shapes, and add what is known of the rest."""
        output, earlier, latest = place.output, source, remembered.latest
        parts = [settled.found]
        for tag in settled.output:
            element, other = output.get(tag), earlier.get(tag)
            assert element is not None
            one, two, found = latest.get(tag, NEVER)
            if one is not element or two is not other:
                found = self.judged(place, tag, element, other, remembered)
                if not depends(tag):
                    latest[tag] = (element, other, found)
            if found is not NOTHING:
                parts.append(found)
        parts += [self.gone(tag, source, remembered) for tag in settled.gone if not tag >> 16 & 1]
        if settled.valid is None or settled.valid:
            parts.append(self.valid(place.output, source, settled.valid))
        return together(parts)

    def valid(self, output: Level, source: Level, tags: frozenset[int] | None) -> Found:
        """Check the types of some attributes, or of all."""
        types = types_of(self._class, 0)
        problems = tuple(not_valid(types, source.elements if tags is None else tags, output, source))
        return Found(problems) if problems else NOTHING

    def judged(self, place: Place, tag: int, element: Element, other: Element | None, remembered: Remembered) -> Found:
        """Judge one element at the top level beside that of the input."""
        if element.items is None:
            return self._plain(place, tag, element, None if other is None else other.value, None)
        if depends(tag) or len(element.value) > _LONGEST_REMEMBERED:
            return self._top(place, tag, element)
        key = (tag, element.vr, element.value, None if other is None else (other.vr, other.value))
        found = remembered.by_value.get(key)
        if found is None:
            found = remembered.by_value[key] = self._top(place, tag, element)
        return found

    def gone(self, tag: int, source: Level, remembered: Remembered) -> Found:
        """Judge that an output lacks an attribute of its input."""
        element = source.get(tag)
        assert element is not None
        one, two, known = remembered.latest.get(tag, NEVER)
        if one is None and two is element:
            return known
        key = (tag, element.vr, element.value)
        found = remembered.by_value.get(key)
        if found is None:
            found = remembered.by_value[key] = missing(self._rules.table, self._judge, (), tag, source)
        remembered.latest[tag] = (None, element, found)
        return found

    def _top(self, place: Place, tag: int, element: Element) -> Found:
        collected = Collected()
        stack: list[Place] = []
        self._element(place, tag, element, None, stack, collected)
        self._all(stack, collected)
        return collected.frozen()

    def _within(self, place: Place, tag: int, element: Element, allowed: Allowance) -> Found:
        """Compare a sequence in an item. What is the same items of the same items, at the same place, is known."""
        assert element.items is not None
        other = None if place.source is None else place.source.elements.get(tag)
        sources = None if other is None else other.items
        # The parser gives the same object for the same bytes; it is kept with what was found, so it stays the same.
        key = (*place.path, tag, id(element.items), other is None, id(sources), place.charsets, allowed)
        known = self._items.get(key)
        if known is None:
            collected = Collected()
            stack: list[Place] = []
            self._sequence(place, tag, element, allowed, stack, collected)
            self._all(stack, collected)
            if len(self._items) >= _MOST_REMEMBERED:
                self._items.clear()
            known = self._items[key] = (collected.frozen(), element.items, sources)
        return known[0]

    def _all(self, stack: list[Place], collected: Collected) -> None:
        """Compare items until none is left."""
        while stack:
            inner = stack.pop()
            override = allowed_content(self._rules.table, inner.output) if inner.path[-1] == CONTENT else None
            for each, element in inner.output.elements.items():
                if inner.quiet is None or each not in inner.quiet:
                    self._element(inner, each, element, override, stack, collected)
            if inner.source is not None and inner.quiet is None:
                self._lacking(inner, inner.source, collected)

    def _lacking(self, place: Place, source: Level, collected: Collected) -> None:
        if source.elements.keys() != place.output.elements.keys():
            for tag in source.elements.keys() - place.output.elements.keys():
                collected.add(missing(self._rules.table, self._judge, place.path, tag, source))
        if types := types_of(self._class, place.path[-1]):
            collected.problems += not_valid(types, source.elements, place.output, source)

    def _element(
        self,
        place: Place,
        tag: int,
        element: Element,
        override: tuple[int, Allowance] | None,
        stack: list[Place],
        collected: Collected,
    ) -> None:
        if element.items is None:
            before = None if place.source is None else place.source.value(tag)
            found = self._plain(place, tag, element, before, override)
            if found is not NOTHING:
                collected.add(found)
            return
        rule = self._rules.of(self._class, place, tag, element.vr)
        if override is not None and override[0] == tag:
            rule = rule.but(override[1])
        if not element.items and rule.may_be_empty:
            return
        if 0 < len(place.path) <= _DEEPEST_REMEMBERED:
            found = self._within(place, tag, element, rule.allowed)
            if found is not NOTHING:
                collected.add(found)
        else:
            self._sequence(place, tag, element, rule.allowed, stack, collected)

    def _plain(
        self, place: Place, tag: int, element: Element, before: bytes | None, override: tuple[int, Allowance] | None
    ) -> Found:
        """Judge an element that is no sequence.

        :param before: its value in the input, None when it is not there.
        :param override: what is allowed for one tag of this level.
        """
        rule = self._rules.of(self._class, place, tag, element.vr)
        if override is not None and override[0] == tag:
            rule = rule.but(override[1])
        value = element.value
        if not value and rule.may_be_empty:
            return NOTHING
        if rule.same and value == before and self._judge.is_harmless(tag, rule.vr, value, place.charsets[0]):
            return NOTHING
        if place.source is not None:
            before = before or b""
        return self._judge.element(tag, rule.vr, value, before, place.charsets, rule.allowed)

    def _sequence(
        self, place: Place, tag: int, element: Element, allowed: Allowance, stack: list[Place], collected: Collected
    ) -> None:
        assert element.items is not None
        if not allowed or (EMPTY in allowed and element.items):
            collected.problem(name_of(tag), "is there, and may not be")
        if not place.path and tag == METHOD_CODES:
            return
        other = None if place.source is None else place.source.elements.get(tag)
        sources = other.items if other is not None and other.items is not None else []
        if allowed == {DUMMY} and same_items(element.items, sources) and has_text(element.items):
            collected.problem(name_of(tag), "was not replaced")
        if len(element.items) > len(sources) and other is not None and DUMMY not in allowed:
            collected.problem(name_of(tag), "has more items than the input")
        path = (*place.path, tag)
        inner: list[Place] = []
        for item, source in align(element.items, sources):
            inherited = charset_of(item, place.charsets[0])
            earlier = charset_of(source, place.charsets[1]) if source is not None else place.charsets[1]
            inner.append(Place(path, item, source, (inherited, earlier)))
        row = self._rows.of(self._class, inner) if len(inner) >= FEWEST else None
        if row is not None:
            collected.pairs += row.pairs
            inner = [each._replace(quiet=row.quiet) for each in inner]
        stack += inner
