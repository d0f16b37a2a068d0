"""Search the value of one element for identifiers: as text in every reading, and as bytes."""

from __future__ import annotations

import re
from collections.abc import Collection

from airlock.identity.identifiers import Identifiers, Match
from airlock.verify.spelled import Spelled
from airlock.verify.text import CODED, DATES, FREE, NUMERIC, readings, values, wide_text
from airlock.verify.uids import UID, is_registered

DUMMIES = frozenset(
    (
        "ANONYMIZED", "ANONYMISED", "Anonymized", "ANONYMIZED^ANONYMIZED", "REMOVED", "NONE", "UNKNOWN", "COERCE", "0",
        "19700101", "000000", "19700101000000", "000D", "000Y", "+0000", "http://anonymized.invalid/", "99AIRLOCK",
    )
)  # fmt: skip
"""Values that say nothing of anybody, wherever they stand."""

_NONE: frozenset[Match] = frozenset()
_NUMBER = re.compile(r"[0-9+.eE-]+")
_OF_NUMBERS = b"0123456789+-.eE\\ \0"
_CLOCK = re.compile(r"[0-9.:+-]*")
_PRINTABLE = re.compile(rb"[\x09\x0a\x0d\x20-\x7e]{5,}")
# What neither of the patterns of text in bytes matches, and how much the shorter one asks of the rest.
_UNPRINTABLE = bytes(code for code in range(256) if code not in b"\t\n\r" and not 0x20 <= code <= 0x7E)
_FEWEST_IN_WIDE = 4
_SHORTEST = 4
_REMEMBERED_BYTES, _REMEMBERED_TEXT, _MOST_REMEMBERED = 64, 256, 4096
_FORMATTED = DATES | {b"TM"}


class Search:
    """Searches values for the identifiers of a study, in two ways that share no code.

    :param spelled: the second way: what the inputs say, compared word by word.
    :param removed: whether the project removes dates, so that one of the inputs is an identifier wherever it stands.
    :param anybody: searches for the identifiers of several patients, of whom this is one (:mod:`airlock.verify.crowd`).
    """

    def __init__(
        self, identifiers: Identifiers, spelled: Spelled, *, removed: bool, anybody: Search | None = None
    ) -> None:
        self._identifiers, self._spelled, self._removed, self._anybody = identifiers, spelled, removed, anybody
        self._remembered: dict[bytes, frozenset[Match]] = {}
        self._remembered_text: dict[tuple[bytes, bytes, bytes], frozenset[Match]] = {}

    def element(self, raw: bytes, vr: bytes, charset: bytes, *, kept: bool) -> frozenset[Match]:
        """Return the kinds of identifiers in the value of an element.

        :param kept: whether the project keeps this attribute's date or UID.
        """
        if vr in FREE or vr in CODED:
            return self._text(raw, vr, charset)
        if vr == b"UI":
            return self._uid(raw, charset, kept=kept)
        if vr in NUMERIC:
            return self._number(raw, charset)
        if vr in _FORMATTED:
            return self._date(raw, vr, charset, kept=kept)
        return self.data(raw) if len(raw) >= _SHORTEST else _NONE

    def none_in(self, raws: Collection[bytes], vr: bytes, charset: bytes) -> bool:
        """Whether no value of several that the project keeps holds an identifier; a no is not certain."""
        if vr in NUMERIC or vr == b"TM":
            # Each is looked at alone, as the values of one element are.
            raws = (b"\\".join(raws),)
        return not any(self.element(raw, vr, charset, kept=True) for raw in raws)

    def _text(self, raw: bytes, vr: bytes, charset: bytes) -> frozenset[Match]:
        key = raw, vr, charset
        found = self._remembered_text.get(key)
        if found is None:
            nobody = self._anybody is not None and not self._anybody._text(raw, vr, charset)  # noqa: SLF001 - of the same class
            found = _NONE if nobody else self._search_text(raw, vr, charset)
            if len(raw) <= _REMEMBERED_TEXT and len(self._remembered_text) < _MOST_REMEMBERED:
                self._remembered_text[key] = found
        return found

    def text(self, text: str, *, free: bool = True) -> frozenset[Match]:
        """Return the kinds of identifiers in a text.

        :param free: whether it is free text, where short numbers count.
        """
        return self._identifiers.matches(text, free=free) | self._spelled.matches(text, free=free)

    def _search_text(self, raw: bytes, vr: bytes, charset: bytes) -> frozenset[Match]:
        free = vr in FREE
        found = _NONE
        for text in readings(raw, vr, charset):
            if text.strip(" \0") not in DUMMIES:
                found |= self.text(text, free=free)
        if not raw.isascii() or b"\x1b" in raw:
            found |= self._identifiers.matches_in_bytes(raw, dates=False)
        return found | self.data(raw) if b"\0" in raw.rstrip(b"\0") else found

    def _uid(self, raw: bytes, charset: bytes, *, kept: bool) -> frozenset[Match]:
        found = _NONE
        for value in raw.decode("latin-1").split("\\"):
            uid = value.strip(" \0")
            if not uid or is_registered(uid):
                continue
            if not UID.fullmatch(uid):
                found |= self._text(uid.encode("latin-1"), b"LO", charset)
            elif not kept and uid in self._identifiers.uids:
                found |= {("UID", False)}
        return found

    def in_uid(self, uid: str) -> bool:
        """Whether a component of a UID is an identifying number or a date of the inputs."""
        return self._identifiers.in_uid(uid)

    def _number(self, raw: bytes, charset: bytes) -> frozenset[Match]:
        if not raw.translate(None, _OF_NUMBERS) and not self._identifiers.is_any_number(raw):
            return _NONE
        found = _NONE
        for value in values(raw, b"DS", charset):
            if not _NUMBER.fullmatch(value):
                found |= self._text(value.encode("latin-1"), b"LO", charset)
            elif self._identifiers.is_number(value):
                found |= {("number", False)}
        return found

    def _date(self, raw: bytes, vr: bytes, charset: bytes, *, kept: bool) -> frozenset[Match]:
        found = _NONE
        for value in values(raw, vr, charset):
            if not _CLOCK.fullmatch(value):
                found |= self._text(value.encode("latin-1"), b"LO", charset)
            elif vr in DATES and value not in DUMMIES:
                day = value.replace(".", "")[:8] if vr == b"DA" else value[:8]
                removed = not kept and self._removed and day in self._identifiers.dates
                found |= {("date", False)} if removed or (kept and self._identifiers.is_birth(day)) else _NONE
        return found

    def data(self, raw: bytes) -> frozenset[Match]:
        """Return the kinds of identifiers in bytes that are no text, or in text whose encoding is not known."""
        found = self._remembered.get(raw) if len(raw) <= _REMEMBERED_BYTES else None
        if found is None:
            nobody = self._anybody is not None and not self._anybody.data(raw)
            found = _NONE if nobody else self._data(raw)
            if len(raw) <= _REMEMBERED_BYTES and len(self._remembered) < _MOST_REMEMBERED:
                self._remembered[raw] = found
        return found

    def _data(self, raw: bytes) -> frozenset[Match]:
        found = self._identifiers.matches_in_bytes(raw, dates=self._removed)
        if len(raw.translate(None, _UNPRINTABLE)) < _FEWEST_IN_WIDE:
            return found
        if b"\0" in raw and (wide := wide_text(raw)):
            found |= self.text(wide.decode("ascii"), free=False)
        for stretch in _PRINTABLE.findall(raw):
            if len(stretch) * 2 > len(raw):
                found |= self.text(stretch.decode("ascii"), free=False)
        return found
