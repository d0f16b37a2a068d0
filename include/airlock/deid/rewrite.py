"""How one element's value is removed, emptied, replaced, cleaned, moved or mapped, given what was decided of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from airlock.deid.decision import Decision
from airlock.deid.treat import Treatments, round_age
from airlock.deid.values import dummy
from airlock.identity.dates import parse_date, shift_date, shift_datetime
from airlock.identity.harvest import NUMBERS, PHONES, PHRASES, texts
from airlock.identity.identifiers import Identifiers
from airlock.identity.uids import UidMap, is_registered, is_structural
from airlock.patterns import compiled_later
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airlock.deid.descriptors import DescriptorCleaner

_FREE = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN"))
_BYTES = frozenset(("OB", "UN"))
_CODED = frozenset(("AE", "CS", "AS", "UR"))
# Of these only what is written as they must be is kept: anything else is text in the wrong place.
_WRITTEN_AS = {
    "DA": re.compile(r"[0-9.:+\- \0]*"),
    "DT": re.compile(r"[0-9.:+\- \0]*"),
    "TM": re.compile(r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?)?[ \0]*"),
    "UI": re.compile(r"[0-9.]*[ \0]*"),
}
# What devices write where a number should stand: also a decimal comma, and what is no number to them.
_NUMBER = compiled_later(r"(?:[0-9.,+\-eE# \0]|nan|inf|ind)*", re.IGNORECASE)


class New(NamedTuple):
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


class _Holder(NamedTuple):
    value: Any


class Rewriter:
    """Changes single values. It needs no dataset: who reads and writes them is not its business.

    :param days: offset of dates.
    :param age_years: multiple that ages are rounded to.
    :param key: of the project, for keyed hashes.
    """

    def __init__(
        self,
        uids: UidMap,
        identifiers: Identifiers,
        days: int,
        age_years: int = 1,
        key: bytes = b"",
    ) -> None:
        self._uids, self._identifiers, self._days = uids, identifiers, days
        self._age_years, self._treatments = age_years, Treatments(key)

    @cached_property
    def _cleaner(self) -> DescriptorCleaner:
        from airlock.deid.descriptors import DescriptorCleaner  # noqa: PLC0415 - without the option, nothing is cleaned

        return DescriptorCleaner(self._identifiers)

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
        if decision.letter == "R":
            return self._treat(decision, tag, value, encodings)
        if decision.letter == "S":
            return self._shift(decision, tag, value)
        return self._map(tag, value) if decision.letter == "U" else self._dummy(decision, tag, value)

    def _dummy(self, decision: Decision, tag: int, value: Any) -> New:
        if decision.vr == "UI":
            return self._map(tag, value)
        return New(changed=True, value=dummy(tag, decision.vr, decision.keyword))

    def uid(self, original: str) -> str:
        """Return the new UID of an object."""
        return self._uids(original)

    def uids(self, originals: Iterable[str]) -> Iterator[str]:
        """Yield the new UID of each of several objects; theirs have no padding."""
        return self._uids.each(originals)

    def _map(self, tag: int, value: Any) -> New:
        values = _texts(value, "UI", ())
        # What names classes may wrongly hold the UID of an instance; it is known from where it belongs.
        structural = is_structural(tag)
        # An attribute that holds no class UIDs may still name a well-known frame of reference or palette.
        mapped = [
            uid
            if is_registered(uid)
            or (structural and _WRITTEN_AS["UI"].fullmatch(uid) and not self._identifiers.is_instance(uid))
            else self._uids(uid)
            for uid in values
        ]
        return _values(mapped) if mapped != values else SAME

    def _shift(self, decision: Decision, tag: int, value: Any) -> New:
        vr = decision.vr
        if vr == "TM":
            return self._keep_plain(decision, tag, value)
        days = decision.rule.days if decision.rule is not None and decision.rule.days is not None else self._days
        move = shift_date if vr == "DA" else shift_datetime
        moved = [move(date, days) for date in _texts(value, vr, ())]
        readable = [date for date in moved if date is not None]
        if len(readable) == len(moved):
            return _values(readable) if moved else SAME
        return self._unreadable(decision, tag)

    def _unreadable(self, decision: Decision, tag: int) -> New:
        instead = dummy(tag, decision.vr, decision.keyword) if decision.kind in ("1", "1C") else None
        return New(changed=True, value=instead, unreadable_date=True)

    def _clean(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str]) -> New:
        if decision.vr not in _FREE and decision.vr not in _CODED:
            return self._fall_back(decision, tag, value, decision.fallback)
        values = _texts(value, decision.vr, encodings)
        cleaned = [self._cleaner.clean(text) for text in values]
        if self._is_left(value, values, cleaned, free=True):
            return self._fall_back(decision, tag, value, decision.fallback)
        if cleaned == values:
            return SAME
        return _values(cleaned) if any(cleaned) else self._fall_back(decision, tag, value, decision.fallback)

    def _is_left(self, value: Any, before: Sequence[str], after: Sequence[str], *, free: bool) -> bool:
        """Whether an identifier is left that no single text shows: across values, or in bytes that are no such text."""
        if len(after) > 1 and self._identifiers.find("\\".join(after), free=free):
            return True
        stays = isinstance(value, bytes) and not (value.isascii() and b"\x1b" not in value) and before == after
        return stays and self._identifiers.in_bytes(value, dates=False)

    def _keep(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str]) -> New:
        vr = decision.vr
        # What a rule for a whole VR keeps is not meant to be what identifies the patient.
        named = decision.rule is not None and decision.rule.vr is None
        if not value or (named and _is_identifier(decision)):
            return SAME
        if vr in _WRITTEN_AS:
            return self._keep_plain(decision, tag, value)
        fallback = {"1": "D", "1C": "D", "2": "Z", "2C": "Z"}.get(decision.kind, "X")
        if vr == "AS":
            return self._age(decision, tag, value, fallback)
        if vr in _FREE or vr in _CODED:
            return self._keep_text(decision, tag, value, encodings, fallback)
        if vr in ("DS", "IS"):
            found = any(self._is_misused(text) for text in _texts(value, vr, ()))
        else:
            # Bytes are not moved by days: a date in them is as it was.
            found = isinstance(value, bytes) and self._identifiers.in_bytes(value, dates=vr in _BYTES)
        return self._fall_back(decision, tag, value, fallback) if found else SAME

    def _keep_text(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str], fallback: str) -> New:
        free = decision.vr in _FREE
        values = _texts(value, decision.vr, encodings)
        cut = [self._identifiers.cut(text, free=free) for text in values]
        if self._is_left(value, values, cut, free=free):
            return self._fall_back(decision, tag, value, fallback)
        if cut == values:
            return SAME
        return _values(cut) if any(cut) and free else self._fall_back(decision, tag, value, fallback)

    def _keep_plain(self, decision: Decision, tag: int, value: Any) -> New:
        """Keep a date, a time or a UID, if it is one."""
        pattern = _WRITTEN_AS[decision.vr]
        texts = _texts(value, decision.vr, ())
        is_id = {"DA": self._is_id, "DT": self._is_id, "UI": self._identifiers.in_uid}.get(decision.vr)
        if all(pattern.fullmatch(text) and not (is_id and is_id(text)) for text in texts):
            return SAME
        return self._map(tag, value) if decision.vr == "UI" else self._unreadable(decision, tag)

    def _is_misused(self, text: str) -> bool:
        """Whether a numeric string is an identifying number, or text in the wrong place."""
        if _NUMBER.fullmatch(text) is None:
            return True
        return self._identifiers.is_number(text)

    def _is_id(self, text: str) -> bool:
        """Whether a date is none, but an identifying number, or the patient's birth in another place."""
        if parse_date(text[:8]) is None:
            return self._identifiers.is_number(text)
        return self._identifiers.is_birth(text)

    def _age(self, decision: Decision, tag: int, value: Any, fallback: str) -> New:
        """Keep an age as the project wants it known (PS3.15 section E.3.7)."""
        values = _texts(value, "AS", ())
        rounded = [age for text in values if (age := round_age(text, self._age_years)) is not None]
        if len(rounded) < len(values):
            return self._fall_back(decision, tag, value, fallback)
        return SAME if rounded == values else _values(rounded)

    def _treat(self, decision: Decision, tag: int, value: Any, encodings: Sequence[str]) -> New:
        """Do what a rule of the project says; what the table says when that does not fit the value.

        :raises InstanceNotUnderstood: when a lookup table does not know the value.
        """
        if decision.treatment == "csa":
            from airlock.deid.csa import clean_csa  # noqa: PLC0415 - few projects keep that header

            cleaned = clean_csa(value, self._identifiers) if isinstance(value, bytes) else None
            return REMOVED if cleaned is None else New(changed=True, value=cleaned)
        rule, vr = decision.rule, decision.vr
        if rule is None or decision.otherwise is None:
            return REMOVED
        values = _texts(value, vr, encodings)
        if not values and rule.action != "replace":
            return SAME
        treated = [self._treatments.treat(decision.treatment, rule, vr, text) for text in values or [""]]
        fitting = [text for text in treated if text is not None]
        if len(fitting) < len(treated):
            return self.rewrite(decision.otherwise, tag, value, encodings)
        if rule.action in ("truncate", "keep-matching") and not _is_identifier(decision):
            fitting = [self._identifiers.cut(text, free=vr in _FREE) for text in fitting]
        return SAME if fitting == values else _typed(vr, fitting)

    def _fall_back(self, decision: Decision, tag: int, value: Any, fallback: str) -> New:
        if fallback == "X":
            return REMOVED
        return _empty(decision) if fallback == "Z" else self._dummy(decision, tag, value)


def _is_identifier(decision: Decision) -> bool:
    """Whether an attribute holds what identifiers are harvested from, so that nothing of it would be left without."""
    keyword = decision.keyword
    return decision.vr == "PN" or keyword in NUMBERS or keyword in PHRASES or keyword in PHONES


def _typed(vr: str, texts: list[str]) -> New:
    kind = {"US": int, "UL": int, "SS": int, "SL": int, "UV": int, "SV": int, "FL": float, "FD": float}.get(vr)
    return _values(texts if kind is None else [kind(float(text)) for text in texts])


def _texts(value: Any, vr: str, encodings: Sequence[str]) -> list[str]:
    return texts(_Holder(value), vr, list(encodings))


def _values(values: Sequence[Any]) -> New:
    return New(changed=True, value=values[0] if len(values) == 1 else list(values))


def _empty(decision: Decision) -> New:
    return New(changed=True, value=None if decision.vr != "UN" else b"")
