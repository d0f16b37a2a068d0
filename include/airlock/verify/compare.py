"""Compare the datasets of an output and its input, level by level, without recursion.

The elements of a study's instances are mostly the same bytes: what was found in one pair of values is remembered for
the next instance, whole sequences at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from airlock.verify.found import NOTHING, Collected, Found, Problem, together
from airlock.verify.items import CONTENT, align, concept, has_text, value_tag
from airlock.verify.judge import Judge
from airlock.verify.levels import Element, Level, same_items
from airlock.verify.place import NEVER, Place, Remembered, Settled, depends, must_be_judged
from airlock.verify.table import DUMMY, EMPTY, MAP, SAME, Allowance, Table, types_of
from airlock.verify.table import NOTHING as NOT_ALLOWED
from airlock.verify.text import NUMERIC, charset_of, entry, name_of, vr_of
from airlock.verify.uids import is_registered, is_structural

# What de-identification writes itself; :mod:`airlock.verify.duties` checks their values.
STAMPED = frozenset(
    (
        0x00080080, 0x00100010, 0x00100020, 0x00120010, 0x00120020, 0x00120021, 0x00120040,
        0x00120050, 0x00120051, 0x00120062, 0x00120063, 0x00120064, 0x00200010, 0x00280301, 0x00280303, 0x00080005,
    )
)  # fmt: skip
METHOD_CODES = 0x00120064
# May only be there while another one has a value: ResponsiblePersonRole, beside ResponsiblePerson (PS3.3 table C.7-1).
_FOLLOWERS = {0x00102298: 0x00102297}
_NUMBER = re.compile(rb"(?:[0-9.,+\-eE# \0]|nan|inf|ind)*", re.IGNORECASE)
_KEPT: Allowance = frozenset(("keep",))
_MOST_REMEMBERED = 20_000
_DEEPEST_REMEMBERED = 4
_LONGEST_REMEMBERED = 64 << 10
Private = Callable[[tuple[int, ...], int, str], bool]
"""Whether a project keeps a private element: path of sequences, tag, creator."""


class Comparison:
    """Compares datasets, remembering what was found.

    :param private: which private elements may be there; None when none may.
    :param stamped: attributes that de-identification writes besides :data:`STAMPED`.
    """

    def __init__(
        self, table: Table, judge: Judge, private: Private | None = None, stamped: frozenset[int] = frozenset()
    ) -> None:
        self._stamped = STAMPED | stamped
        self._table, self._judge, self._private = table, judge, private
        self._remembered: dict[tuple[object, ...], Remembered] = {}
        self._class = ""
        self._items = Remembered().items

    def dataset(self, output: Level, source: Level, sop_class_uid: str) -> Found:
        """Compare two datasets."""
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
        if output.shape is None or source.shape is None:
            return self._whole(place, source, remembered)
        shapes = output.shape, source.shape
        settled = remembered.settled.get(shapes)
        if settled is None:
            settled = self._settle(place, source, remembered)
            remembered.settle(shapes, settled)
        return self._rest(place, source, remembered, settled)

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
        valid = frozenset(types_of(self._class, 0))
        part = Settled(NOTHING, same, missing, valid - varying)
        return Settled(self._rest(place, source, remembered, part), output, gone, valid & varying)

    def _rest(self, place: Place, source: Level, remembered: Remembered, settled: Settled) -> Found:
        """Judge what differs between objects of the same two shapes, and add what is known of the rest."""
        output, earlier, latest = place.output.elements, source.elements, remembered.latest
        parts = [settled.found]
        for tag in settled.output:
            element, other = output[tag], earlier.get(tag)
            one, two, found = latest.get(tag, NEVER)
            if one is not element or two is not other:
                found = self._judged(place, tag, element, other, remembered)
                if not depends(tag):
                    latest[tag] = (element, other, found)
            if found is not NOTHING:
                parts.append(found)
        for tag in settled.gone:
            if not tag >> 16 & 1 and (found := self._gone(tag, source, remembered)) is not NOTHING:
                parts.append(found)
        if settled.valid is None or settled.valid:
            collected = Collected()
            self._valid(place, collected, settled.valid)
            parts.append(collected.frozen())
        return together(parts)

    def _judged(self, place: Place, tag: int, element: Element, other: Element | None, remembered: Remembered) -> Found:
        if element.items is None:
            return self._plain(place, tag, element, None if other is None else other.value, None)
        if depends(tag) or len(element.value) > _LONGEST_REMEMBERED:
            return self._top(place, tag, element)
        key = (tag, element.vr, element.value, None if other is None else (other.vr, other.value))
        found = remembered.by_value.get(key)
        if found is None:
            found = remembered.by_value[key] = self._top(place, tag, element)
        return found

    def _gone(self, tag: int, source: Level, remembered: Remembered) -> Found:
        element = source.elements[tag]
        one, two, known = remembered.latest.get(tag, NEVER)
        if one is None and two is element:
            return known
        key = (tag, element.vr, element.value)
        found = remembered.by_value.get(key)
        if found is None:
            found = remembered.by_value[key] = self._missing((), tag, source)
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
            override = self._content(inner) if inner.path[-1] == CONTENT else None
            for each, found in inner.output.elements.items():
                self._element(inner, each, found, override, stack, collected)
            if inner.source is not None:
                for each in inner.source.elements.keys() - inner.output.elements.keys():
                    collected.add(self._missing(inner.path, each, inner.source))
            self._valid(inner, collected)

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
            collected.add(
                self._plain(place, tag, element, None if place.source is None else place.source.value(tag), override)
            )
            return
        allowed = self._allowed(place, tag, element)
        if override is not None and override[0] == tag:
            allowed = override[1]
        if not element.items and self._may_be_empty(place, tag, allowed):
            return
        if 0 < len(place.path) <= _DEEPEST_REMEMBERED:
            collected.add(self._within(place, tag, element, allowed))
        else:
            self._sequence(place, tag, element, allowed, stack, collected)

    def _plain(
        self, place: Place, tag: int, element: Element, before: bytes | None, override: tuple[int, Allowance] | None
    ) -> Found:
        """Judge an element that is no sequence.

        :param before: its value in the input, None when it is not there.
        :param override: what is allowed for one tag of this level.
        """
        allowed = self._allowed(place, tag, element)
        if override is not None and override[0] == tag:
            allowed = override[1]
        if not element.value and self._may_be_empty(place, tag, allowed):
            return NOTHING
        if place.source is not None:
            before = before or b""
        return self._judge.element(tag, vr_of(tag, element.vr), element.value, before, place.charsets, allowed)

    def _may_be_empty(self, place: Place, tag: int, allowed: Allowance) -> bool:
        """Whether empty says nothing: also where the table would remove, if the object must have the attribute."""
        return bool(allowed) or self._kind(place, tag) in ("2", "2C")

    def _allowed(self, place: Place, tag: int, element: Element) -> Allowance:
        if tag >> 16 & 1:
            return self._private_allowed(place, tag)
        if tag & 0xFFFF == 0:
            return NOT_ALLOWED
        if not place.path and tag in self._stamped:
            return _KEPT
        allowed = self._table.allowed(place.path, tag)
        if not allowed and tag >> 24 in (0x50, 0x60):
            kind = place.output.value(tag & 0xFFFF0000 | 0x0040) or b""
            return self._table.graphics(tag, kind.strip(b" \0"))
        if not allowed and entry(tag)[1] and self._kind(place, tag) in ("1", "1C"):
            # Removing it would break the object: then a meaningless value stands in its place.
            return frozenset((DUMMY,))
        return allowed

    def _private_allowed(self, place: Place, tag: int) -> Allowance:
        if self._private is None:
            return NOT_ALLOWED
        number = tag & 0xFFFF
        raw = place.output.value((tag & 0xFFFF0000) | (number >> 8 if number >= 0x1000 else number))
        creator = (raw or b"").decode("latin-1").strip(" \0")
        if not creator or not self._private(place.path, tag, creator):
            return NOT_ALLOWED
        return self._table.by_vr(place.output.elements[tag].vr)

    def _kind(self, place: Place, tag: int) -> str:
        return types_of(self._class, place.path[-1] if place.path else 0).get(tag, "3")

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
        for item, source in align(element.items, sources):
            inherited = charset_of(item, place.charsets[0])
            earlier = charset_of(source, place.charsets[1]) if source is not None else place.charsets[1]
            stack.append(Place(path, item, source, (inherited, earlier)))

    def _content(self, place: Place) -> tuple[int, Allowance] | None:
        """Return what table E.3.4-1 allows for the value of a content item, with the tag of the value."""
        for scheme, code, kind in concept(place.output):
            allowed = self._table.content(scheme, code, kind)
            tag = value_tag(kind)
            if allowed is not None and tag:
                return tag, allowed
        return None

    def _missing(self, path: tuple[int, ...], tag: int, level: Level) -> Found:
        """Return the UIDs that are lost with an attribute that must not be missing."""
        lost: list[tuple[str, int]] = []
        if not path and SAME in self._table.allowed(path, tag) and self._is_missed(tag, level):
            return Found((Problem(name_of(tag), "is missing"),))
        stack = [(path, tag, level)]
        while stack:
            path, tag, level = stack.pop()
            if self._table.removable(path, tag):
                continue
            element = level.elements[tag]
            for item in element.items or ():
                stack += [((*path, tag), each, item) for each in item.elements]
            is_uid = vr_of(tag, element.vr) == b"UI" and not is_structural(tag)
            if is_uid and MAP in self._table.allowed(path, tag):
                text = element.value.decode("latin-1")
                uids = (value.strip(" \0") for value in text.split("\\"))
                lost += [(uid, tag) for uid in uids if uid and not is_registered(uid)]
        return Found(lost=tuple(lost)) if lost else NOTHING

    def _is_missed(self, tag: int, level: Level) -> bool:
        """Whether a value of the input that nothing allows to remove was left out although it holds no identifier."""
        element = level.elements[tag]
        if element.items is not None or not tag & 0xFFFF or element.vr not in (b"", entry(tag)[0]):
            return False
        if vr_of(tag, element.vr) in NUMERIC and not all(map(_NUMBER.fullmatch, element.value.split(b"\\"))):
            # Text where a number belongs may go whole, identifier or not.
            return False
        if tag in _FOLLOWERS and not self._table.allowed((), _FOLLOWERS[tag]):
            return False
        return any(element.value) and not self._judge.identifies(tag, element.value, charset_of(level, b""))

    def _valid(self, place: Place, collected: Collected, tags: frozenset[int] | None = None) -> None:
        """Check what the object must have (PS3.5 section 7.4), where its input had it.

        :param tags: the attributes to look at; None for all.
        """
        if place.source is None or (tags is not None and not tags):
            return
        after, before = place.output.elements, place.source.elements
        types = types_of(self._class, place.path[-1] if place.path else 0)
        for tag in types if tags is None else tags:
            kind, source = types[tag], before.get(tag)
            if source is None:
                continue
            left = after.get(tag)
            if left is None:
                if kind == "2" or (kind == "1" and not source.empty):
                    collected.problems.append(Problem(name_of(tag), f"is missing, and is of type {kind}"))
            elif kind in ("1", "1C") and left.empty and not source.empty:
                collected.problems.append(Problem(name_of(tag), f"is empty, and is of type {kind}"))
