"""How one element's value is removed, emptied, replaced, cleaned, moved or mapped, given what was decided of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airlock.deid.decide import Decision
from airlock.deid.descriptors import DescriptorCleaner
from airlock.deid.values import dummy
from airlock.identity.dates import shift_date, shift_datetime
from airlock.identity.harvest import texts
from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import UidMap, is_registered, is_structural

_FREE = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN"))
_CODED = frozenset(("AE", "CS", "AS", "UR"))
_KEPT_AS_THEY_ARE = frozenset(("DA", "DT", "TM", "UI", "AT"))


@dataclass(frozen=True, slots=True)
class New:
    """What an element becomes.

    :param removed: it goes.
    :param changed: it gets `value`; when neither, it stays as the file encodes it.
    :param value: as pydicom's data elements hold it; None for an empty value.
    :param unreadable_date: a date in it could not be moved.
    """

    removed: bool = False
    changed: bool = False
    value: Any = None
    unreadable_date: bool = False


SAME = New()
REMOVED = New(removed=True)


@dataclass(frozen=True, slots=True)
class _Holder:
    value: Any


class Rewriter:
    """Changes single values. It needs no dataset: who reads and writes them is not its business.

    :param days: offset of dates.
    """

    def __init__(self, uids: UidMap, identifiers: Identifiers, cleaner: DescriptorCleaner, days: int) -> None:
        self._uids, self._identifiers, self._cleaner, self._days = uids, identifiers, cleaner, days

    def rewrite(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str]) -> New:
        """Apply a decision to an element that is not a sequence.

        :param value: bytes as the file encodes them, or what pydicom made of them.
        :param encodings: Python's names of the character sets in force, for text in bytes.
        """
        if decision.letter in ("X", "Z"):
            return self._fall_back(decision, tag, value, decision.letter)
        if decision.letter in ("C", "K"):
            change = self._clean if decision.letter == "C" else self._keep
            return change(decision, tag, value, encodings)
        if decision.letter == "S":
            return self._shift(decision, tag, value)
        return self._map(tag, value) if decision.letter == "U" else self._dummy(decision, tag, value)

    def _dummy(self, decision: Decision, tag: int, value: Any) -> New:
        if decision.vr == "UI":
            return self._map(tag, value)
        return New(changed=True, value=dummy(tag, decision.vr, decision.keyword))

    def _map(self, tag: int, value: Any) -> New:
        values = _texts(value, "UI", ())
        # What names classes may wrongly hold the UID of an instance; it is known from where it belongs.
        structural = is_structural(tag)
        # An attribute that holds no class UIDs may still name a well-known frame of reference or palette.
        mapped = [
            uid if is_registered(uid) or (structural and uid not in self._identifiers.uids) else self._uids(uid)
            for uid in values
        ]
        return _values(mapped) if mapped != values else SAME

    def _shift(self, decision: Decision, tag: int, value: Any) -> New:
        vr = decision.vr
        if vr == "TM":
            return SAME
        move = shift_date if vr == "DA" else shift_datetime
        moved = [move(date, self._days) for date in _texts(value, vr, ())]
        readable = [date for date in moved if date is not None]
        if len(readable) == len(moved):
            return _values(readable) if moved else SAME
        instead = dummy(tag, vr, decision.keyword) if decision.kind in ("1", "1C") else None
        return New(changed=True, value=instead, unreadable_date=True)

    def _clean(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str]) -> New:
        if decision.vr not in _FREE and decision.vr not in _CODED:
            return self._fall_back(decision, tag, value, decision.fallback)
        values = _texts(value, decision.vr, encodings)
        cleaned = [self._cleaner.clean(text) for text in values]
        if cleaned == values:
            return SAME
        return _values(cleaned) if any(cleaned) else self._fall_back(decision, tag, value, decision.fallback)

    def _keep(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str]) -> New:
        vr = decision.vr
        if vr in _KEPT_AS_THEY_ARE or not value:
            return SAME
        fallback = {"1": "D", "1C": "D", "2": "Z", "2C": "Z"}.get(decision.kind, "X")
        if vr in _FREE or vr in _CODED:
            values = _texts(value, vr, encodings)
            cut = [self._identifiers.cut(text, free=vr in _FREE) for text in values]
            if cut == values:
                return SAME
            return _values(cut) if any(cut) and vr in _FREE else self._fall_back(decision, tag, value, fallback)
        if vr in ("DS", "IS"):
            found = any(self._identifiers.is_number(text) for text in _texts(value, vr, ()))
        else:
            found = isinstance(value, bytes) and self._identifiers.in_bytes(value, dates=False)
        return self._fall_back(decision, tag, value, fallback) if found else SAME

    def _fall_back(self, decision: Decision, tag: int, value: Any, fallback: str) -> New:
        if fallback == "X":
            return REMOVED
        return _empty(decision) if fallback == "Z" else self._dummy(decision, tag, value)


def _texts(value: Any, vr: str, encodings: Sequence[str]) -> list[str]:
    return texts(_Holder(value), vr, list(encodings))


def _values(values: list[str]) -> New:
    return New(changed=True, value=values[0] if len(values) == 1 else values)


def _empty(decision: Decision) -> New:
    return New(changed=True, value=None if decision.vr != "UN" else b"")
