"""Sequences: which of their items stay, and what becomes of the elements in those (PS3.5 section 7.5)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from airlock.deid.basis import Basis
from airlock.deid.concepts import CONTENT_SEQUENCES
from airlock.deid.decide import TOP, Context
from airlock.deid.items import item_action
from airlock.deid.stream.beside import Beside, Siblings, look, sequence_body, text_of
from airlock.deid.stream.frames import FEWEST, Frames
from airlock.deid.stream.table import MISSING, Plan, Table
from airlock.deid.stream.values import element_header, encode_dummy_code
from airlock.deid.values import STANDARD_SCHEMES
from airlock.dicomio.head import UNDEFINED, Irregular, end_of_sequence
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.stream.walk import Walk

Choose = Callable[[bytes], "Table | None"]
_tag_and_length = struct.Struct("<II").unpack_from
_item_header = struct.Struct("<II").pack
_ITEM, _SEQUENCE_END = 0xE000FFFE, 0xE0DDFFFE
_ITEM_DELIMITER = struct.pack("<II", 0xE00DFFFE, 0)
_SEQUENCE_DELIMITER = struct.pack("<II", _SEQUENCE_END, 0)
_DEEPEST = 32
_CODE_VALUE, _OTHER_CODES = 0x00080100, (0x00080119, 0x00080120)
_SCHEME, _MEANING = 0x00080102, 0x00080104
_KIND, _CONCEPT = 0x0040A040, 0x0040A043
_CODE = frozenset((_CODE_VALUE, _SCHEME, _MEANING, *_OTHER_CODES))
_ITEM_TAGS = frozenset((_KIND, _CONCEPT, _CODE_VALUE, _MEANING))
# ReferencedContentItemIdentifier: items are referred to by position, so that none may be removed.
_BY_POSITION = struct.pack("<HH", 0x0040, 0xDB73)


class Sequences:
    """Treats the sequences that a walk meets."""

    def __init__(
        self, walk: Walk, basis: Basis, sop_class_uid: str, encodings: list[str], *, implicit: bool, telling: bool
    ) -> None:
        self._walk, self._basis, self._sop_class_uid, self._encodings = walk, basis, sop_class_uid, encodings
        self._decider = basis.decider(sop_class_uid)
        self._implicit, self._telling = implicit, telling
        self._tables: dict[tuple[Context, Beside | None, bool], Table] = {}
        self._depth = self._content = 0
        self._frames = Frames(walk, self, implicit=implicit)

    def become(self, table: Table, plan: Plan, element: bytes) -> bytes | None:
        """Return what becomes of an encoded sequence.

        :raises Siblings: when the content items around it must be treated together.
        """
        decision, before = plan.decision, self._walk.unreadable_dates
        regular = self._implicit or element[4:6] == b"SQ"
        if regular and decision.keyword in CONTENT_SEQUENCES:
            self._told(element)
            return self._content_items(table, plan, element)
        if not regular or (decision.needs_dataset and decision.letter != "D"):
            self._told(element)
            return self._plainly(table, element, before)
        if decision.items is None:
            self._told(element)
            return self._without_items(plan)
        try:
            if decision.letter == "D" and self._holds_code(element):
                self._told(element)
                return encode_dummy_code(plan.tag, self._encodings, implicit=self._implicit)
            return self._rebuilt(plan, element, *self._chooser(decision.items))
        except Siblings:
            self._told(element)
            return self._plainly(table, element, before)

    def _told(self, element: bytes) -> None:
        """Tell of a sequence as a whole, where its items are not walked over, or not all of them."""
        if self._telling and not self._content and self._walk.teller is not None:
            self._walk.teller.tell(element)

    def _content_items(self, table: Table, plan: Plan, element: bytes) -> bytes | None:
        decision, before = plan.decision, self._walk.unreadable_dates
        if decision.keyword == "ContentSequence" and not self._content and table.context != TOP:
            raise Irregular  # whether items are referred to by position is known from the top
        try:
            if decision.items is None:
                # What is left out must be readable all the same.
                for item, _ in self._items(sequence_body(element, implicit=self._implicit)):
                    self._beside(item)
                return self._without_items(plan)
            if _BY_POSITION in element:
                raise Siblings
            self._content += 1
            try:
                return self._kept_items(plan, element, decision.items)
            finally:
                self._content -= 1
        except Siblings:
            return self._plainly(table, element, before)

    def _without_items(self, plan: Plan) -> bytes:
        return b"" if plan.decision.letter == "X" else element_header(plan.tag, b"SQ", 0, implicit=self._implicit)

    def _kept_items(self, plan: Plan, element: bytes, context: Context) -> bytes:
        kept = []

        def choose(item: bytes) -> Table | None:
            beside = self._beside(item)
            kept.append(beside.action != "X")
            return self._table(context, beside) if kept[-1] else None

        new = self._rebuilt(plan, element, choose)
        # It is of type 1C: there, it has items (PS3.3 section C.17.3.1).
        return b"" if kept and not any(kept) and plan.decision.keyword != "AcquisitionContextSequence" else new

    def _beside(self, item: bytes) -> Beside:
        """Return what a content item says of its values."""
        found = look(item, _ITEM_TAGS, implicit=self._implicit)
        if _CODE_VALUE in found or _MEANING in found:
            raise Siblings  # it is a code as well
        kind = self._unchanged(text_of(found.get(_KIND), (b"CS",), implicit=self._implicit), free=False)
        action = None
        if (name := found.get(_CONCEPT)) is not None:
            items = [one for one, _ in self._items(sequence_body(name, implicit=self._implicit))]
            if len(items) > 1:
                raise Siblings
            for one in items:
                code, scheme = self._code_of(one)
                action = item_action(self._basis.profile, kind, scheme, code)
        if action == "K" and kind == "NUM":
            raise Siblings  # it may be an age, which is rounded
        return Beside(kind, action)

    def _code_of(self, item: bytes) -> tuple[str, str]:
        found = look(item, _CODE, implicit=self._implicit)
        if not found.keys().isdisjoint(_OTHER_CODES):
            raise Siblings
        code, scheme = (text_of(found.get(tag), (b"SH",), implicit=self._implicit) for tag in (_CODE_VALUE, _SCHEME))
        return code, scheme

    def _unchanged(self, text: str, *, free: bool = True) -> str:
        """Return a text that the plain engine looks at when it may have been treated: it must be the same then."""
        if self._basis.identifiers.cut(text, free=free) != text:
            raise Siblings
        return text

    def asks(self, context: Context) -> bool:
        """Whether the table for an item depends on it: where meanings of codes are looked at, its scheme counts."""
        return context.cleaning or (context.dummying and context.parent != "ConceptNameCodeSequence")

    def table(self, context: Context) -> Table:
        """Return the table for items, where that does not depend on them."""
        return self._table(context, None)

    def _chooser(self, context: Context) -> tuple[Choose, Table | None]:
        """Return what finds the table for an item, and the one of all of them where it is the same."""
        plain = self.table(context)
        return (self._coded(context, plain), None) if self.asks(context) else (lambda _item: plain, plain)

    def _coded(self, context: Context, plain: Table) -> Choose:
        def choose(item: bytes) -> Table:
            if plain.items.get(item, MISSING) is not MISSING:
                return plain
            found = look(item, _CODE, implicit=self._implicit)
            if _MEANING not in found:
                return plain
            scheme = self._unchanged(text_of(found.get(_SCHEME), (b"SH",), implicit=self._implicit))
            return self._table(context, Beside(own_code=scheme not in STANDARD_SCHEMES))

        return choose

    def _table(self, context: Context, beside: Beside | None) -> Table:
        # Content items are told of as a whole, with those that go.
        place = context, beside, self._content > 0
        found = self._tables.get(place)
        if found is None:
            telling = self._telling and not self._content
            found = Table(self._decider, context, frozenset(), implicit=self._implicit, beside=beside, telling=telling)
            self._tables[place] = found
        return found

    def _holds_code(self, element: bytes) -> bool:
        items = self._items(sequence_body(element, implicit=self._implicit))
        found = [look(item, _CODE, implicit=self._implicit) for item, _ in items]
        return any(_CODE_VALUE in one or _MEANING in one for one in found)

    def _rebuilt(self, plan: Plan, element: bytes, choose: Choose, table: Table | None = None) -> bytes:
        if self._depth >= _DEEPEST:
            raise Irregular
        undefined = plan.unpack(element, plan.at)[0] == UNDEFINED
        self._depth += 1
        try:
            body = self._treated(element[plan.base : -8 if undefined else None], choose, table)
        finally:
            self._depth -= 1
        if undefined:
            return element[: plan.base] + body + _SEQUENCE_DELIMITER
        return element_header(plan.tag, b"SQ", len(body), implicit=self._implicit) + body

    def _treated(self, data: bytes, choose: Choose, table: Table | None) -> bytes:
        found = list(self._items(data))
        if table is not None and len(found) >= FEWEST:
            news = self._frames.treat([item for item, _ in found], table)
        else:
            pairs = [(item, chosen, undefined) for item, undefined in found if (chosen := choose(item)) is not None]
            found = [(item, undefined) for item, _, undefined in pairs]
            news = [self._walk.item(item, chosen) for item, chosen, _ in pairs]
        pieces: list[bytes] = []
        for new, (_, undefined) in zip(news, found, strict=True):
            if undefined:
                pieces += (_item_header(_ITEM, UNDEFINED), new, _ITEM_DELIMITER)
            else:
                pieces += (_item_header(_ITEM, len(new)), new)
        return b"".join(pieces)

    def _items(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield the items of a sequence, and whether their lengths are undefined."""
        position, end = 0, len(data)
        while position < end:
            tag, length = _tag_and_length(data, position)
            if tag != _ITEM:
                raise Irregular
            start = position + 8
            if length == UNDEFINED:
                position = end_of_sequence(data, start, end, implicit=self._implicit, item=True)
                yield data[start : position - 8], True
            else:
                position = start + length
                if position > end:
                    raise Irregular
                yield data[start:position], False

    def _plainly(self, table: Table, element: bytes, unreadable_dates: int) -> bytes:
        """Have the plain engine treat one sequence.

        :param unreadable_dates: before it.
        :raises Siblings: when it stands among content items, which must be treated together.
        """
        if self._content:
            raise Siblings
        from airlock.deid.stream.plainly import treat_plainly  # noqa: PLC0415 - it imports pydicom; few files need it

        new, unreadable = treat_plainly(
            self._basis, element, table.context, self._sop_class_uid, self._encodings, implicit=self._implicit
        )
        self._walk.unreadable_dates = unreadable_dates + unreadable
        return new
