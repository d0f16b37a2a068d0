"""The walk over the elements of a dataset: kept ones are copied in runs, what changes is looked up or computed once."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from airlock.deid.basis import Basis
from airlock.deid.decide import TOP
from airlock.deid.stream.beside import Siblings
from airlock.deid.stream.judge import may_stay
from airlock.deid.stream.sequences import Sequences
from airlock.deid.stream.table import DROP, MISSING, STOP, TAKE, UID, Plan, Table
from airlock.deid.stream.values import encode_element, encode_uid, encode_uids
from airlock.deid.stream.walked import Walked
from airlock.dicomio.head import UNDEFINED, Irregular, More, end_of_sequence
from airlock.errors import InstanceNotUnderstood
from airlock.identity.stream import Teller
from airlock.identity.uids import any_registered, is_registered

_FAR = 1 << 33
_CHARACTER_SET = 0x00080005
# Longer values are looked at again every time: few are the same, and memory is bounded.
_LONGEST_REMEMBERED = 32 << 10
_PLAIN_UID = re.compile(rb"[0-9.]+\0?")
_PLAIN_UIDS = re.compile(rb"[0-9.]+\0?(?:/[0-9.]+\0?)*")


class Walk:
    """Walks over the datasets of one SOP class in one character set and encoding.

    :param encodings: Python's names of the character sets.
    :param taken: tags at the top level that are to be taken out, ascending.
    :param telling: whether `teller` is told of elements of the top level that say something of the patient, when
        they were not seen before.
    """

    def __init__(
        self,
        basis: Basis,
        sop_class_uid: str,
        encodings: list[str],
        taken: tuple[int, ...],
        *,
        implicit: bool,
        telling: bool = False,
    ) -> None:
        self._basis, self._encodings, self._implicit = basis, encodings, implicit
        self._identifiers = basis.identifiers
        self.width = 4 if implicit else 6
        self.marks = (*taken, _FAR)
        self._top = Table(basis.decider(sop_class_uid), TOP, frozenset(taken), implicit=implicit, telling=telling)
        self.plans, self.memo = self._top.plans, self._top.memo
        self.teller: Teller | None = None
        self._sequences = Sequences(self, basis, sop_class_uid, encodings, implicit=implicit, telling=telling)
        self.unreadable_dates = 0

    def top(self, data: bytes, position: int, last: int = -1) -> Walked:
        """Walk over the top level, up to the pixel data or to the end of the bytes.

        :param last: tag before the first one.
        :raises More: when an element does not end in these bytes.
        :raises Irregular: when the file must be left to the plain engine.
        :raises InstanceNotUnderstood: when it must be held.
        """
        walked = Walked()
        table, end, width = self._top, len(data), self.width
        plans, memo, pieces, marks = table.plans.get, table.memo.get, walked.pieces, self.marks
        at = bisect_right(marks, last)
        # Where the bytes begin that are kept as they are.
        run = position
        while position < end:
            plan = plans(data[position : position + width]) or table.plan(data[position : position + width])
            tag, unpack, length_at, base, act, *_ = plan
            if tag <= last:
                raise Irregular
            last = tag
            if tag >= marks[at]:
                pieces.append(data[run:position])
                run = position
                while tag >= marks[at]:
                    pieces.append(marks[at])
                    at += 1
            if act == STOP:
                break
            stop = position + base + unpack(data, position + length_at)[0]
            if stop > end:
                stop = self.end_of(plan, data, position, end)
            found = memo(data[position:stop], MISSING) if act != DROP else b""
            if found is MISSING:
                found = self._become(table, plan, data, position, stop)
            if act == TAKE:
                element = data[position:stop]
                walked.taken[tag] = (element, element if found is None else found)
                walked.values[tag] = data[position + base : stop]
                found = b""
            if found is not None:
                pieces.append(data[run:position])
                pieces.append(found)
                run = stop
            position = stop
        pieces.append(data[run:position])
        pieces.extend(marks[at:-1])
        walked.position = position
        return walked

    def _dataset(self, data: bytes, table: Table) -> bytes | None:
        """Walk over the elements of an item; return None when nothing changes."""
        end, width = len(data), self.width
        plans, memo = table.plans.get, table.memo.get
        pieces = []
        position = run = 0
        last = -1
        while position < end:
            plan = plans(data[position : position + width]) or table.plan(data[position : position + width])
            tag, unpack, at, base, act, _, _, _, _ = plan
            if tag <= last:
                raise Irregular
            last = tag
            stop = position + base + unpack(data, position + at)[0]
            if stop > end:
                stop = self.end_of(plan, data, position, end)
            new = b"" if act == DROP else memo(data[position:stop], MISSING)
            if new is MISSING:
                new = self._become(table, plan, data, position, stop)
            if new is None:
                position = stop
                continue
            pieces.append(data[run:position])
            pieces.append(new)
            position = run = stop
        if not pieces:
            return None
        pieces.append(data[run:])
        return b"".join(pieces)

    def end_of(self, plan: Plan, data: bytes, position: int, end: int) -> int:
        """Return the end of an element whose length is undefined."""
        value = position + plan.base
        if value > end:
            raise More
        if plan.unpack(data, position + plan.at)[0] != UNDEFINED:
            raise More
        if plan.base == 12 and data[position + 4 : position + 6] == b"UN":
            return end_of_sequence(data, value, end, implicit=True)
        if plan.base == 12 and data[position + 4 : position + 6] != b"SQ":
            raise Irregular
        if plan.base == 8 and plan.decision.vr != "SQ" and not plan.tag & 0x10000:
            raise Irregular
        return end_of_sequence(data, value, end, implicit=self._implicit)

    def become(self, plan: Plan, data: bytes, position: int, stop: int) -> bytes | None:
        """Compute what becomes of an element of the top level, and remember it; None when it stays.

        :raises Irregular: or another error, as :meth:`top` does.
        """
        return self._become(self._top, plan, data, position, stop)

    def element(self, table: Table, plan: Plan, element: bytes) -> bytes | None:
        """Return what becomes of an element of an item; None when it stays."""
        new = table.memo.get(element, MISSING)
        return self._become(table, plan, element, 0, len(element)) if new is MISSING else new

    def mapped(self, table: Table, plan: Plan, element: bytes) -> bytes | None:
        """Return the same for an element with a UID that is mapped."""
        if not _PLAIN_UID.fullmatch(element, 8):
            return self.element(table, plan, element)
        if plan.tells and self.teller is not None:
            self.teller.tell_uid(element[8:])
        return self._mapped(element)

    def all_mapped(self, plan: Plan, head: bytes, values: Iterable[bytes]) -> dict[bytes, bytes | None] | None:
        """Return what elements with a UID become, by their values; None when each must be looked at by itself.

        :param head: what all of them begin with.
        """
        together = b"/".join(values)
        if not _PLAIN_UIDS.fullmatch(together):
            return None
        padded = together.split(b"/")
        uids = together.replace(b"\0", b"").decode().split("/")
        if any_registered(uids):
            return None
        if plan.tells and self.teller is not None:
            self.teller.tell_new_uids(uids)
        new = list(self._basis.rewriter.uids(uids))
        news = zip(padded, uids, new, encode_uids(head, new, implicit=self._implicit), strict=True)
        return {value: None if new == uid else made for value, uid, new, made in news}

    def may_stay(self, sort: int, values: list[bytes]) -> bool:
        """Whether encoded values of one sort may all stay as they are; if not, each must be looked at."""
        return may_stay(sort, values, self._identifiers)

    def _become(self, table: Table, plan: Plan, data: bytes, position: int, stop: int) -> bytes | None:
        """Compute what becomes of an element, and remember it."""
        element = data[position:stop]
        before = self.unreadable_dates
        if plan.tells and self.teller is not None and plan.decision.vr != "SQ":
            if plan.sort == UID and _PLAIN_UID.fullmatch(element, 8):
                self.teller.tell_uid(element[8:])
            else:
                self.teller.tell(element)
        if plan.base == 12 and element[6:8] != b"\0\0":
            raise Irregular
        if plan.tag == _CHARACTER_SET and table is not self._top:
            raise Siblings
        if element[4:] == b"UN\0\0\0\0\0\0" and not self._implicit:
            raise Siblings  # pydicom gives an empty one the VR of the dictionary
        if plan.decision.vr == "SQ":
            new = self._sequences.become(table, plan, element)
        elif plan.decision.needs_dataset:
            raise Siblings
        else:
            new = self._value(plan, element)
        if new == element:
            new = None
        if len(element) <= _LONGEST_REMEMBERED and self.unreadable_dates == before:
            table.memo.note(element, new)
        return new

    def _value(self, plan: Plan, element: bytes) -> bytes | None:
        value, decision = element[plan.base :], plan.decision
        if decision.hold and value:
            raise InstanceNotUnderstood(decision.hold)
        if plan.constant is not None:
            return plan.constant
        if plan.sort == UID:
            if _PLAIN_UID.fullmatch(value):
                return self._mapped(element)
        elif plan.sort and may_stay(plan.sort, (value,), self._identifiers):
            return None
        new = self._basis.rewriter.rewrite(decision, plan.tag, value, self._encodings)
        self.unreadable_dates += new.unreadable_date
        if new.removed:
            return b""
        if not new.changed:
            return None
        return encode_element(plan.tag, decision.vr, new.value, self._encodings, implicit=self._implicit)

    def _mapped(self, element: bytes) -> bytes | None:
        """Map a UID that is written as it should be; the same as the rewriter does."""
        uid = element[8:].rstrip(b"\0").decode()
        new = uid if is_registered(uid) else self._basis.rewriter.uid(uid)
        if new == uid:
            return None
        return encode_uid(element, new, implicit=self._implicit)

    def item(self, data: bytes, table: Table) -> bytes:
        """Return what becomes of an item of a sequence, without its header."""
        new = table.items.get(data, MISSING)
        if new is MISSING:
            before = self.unreadable_dates
            new = self._dataset(data, table)
            if len(data) <= _LONGEST_REMEMBERED and self.unreadable_dates == before:
                table.items.note(data, new)
        return data if new is None else new
