"""Identifiers: finds what was harvested from a study in text and in bytes, and cuts it out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property

from airlock.identity.harvest import Evidence
from airlock.identity.spellings import (
    Spelling,
    spell_date,
    spell_name,
    spell_number,
    spell_phone,
    spell_phrase,
)
from airlock.identity.vocabulary import fold, fold_character

_UID_IN_TEXT = re.compile(r"\d+(?:\.\d+){3,}")
_UID_IN_BYTES = re.compile(rb"\d+(?:\.\d+){3,}")
# Above this, a few encoded characters in a row may be chance.
_SMALL_BYTES = 4096
# How names are encoded in private data, whatever the file declares: UTF-8, UTF-16, and what PS3.3 table C.12-2 lists.
_ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6",
    "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r", "tis-620",
    "shift_jis", "euc-jp", "iso2022_jp", "iso2022_jp_2", "euc-kr", "iso2022_kr", "gb18030", "big5",
)  # fmt: skip
# Characters of the shortest name that is searched in bytes, and of the shortest spelling of anything in ASCII.
_SHORTEST_IN_UTF16, _SHORTEST_SPELLING = 2, 5
Span = tuple[int, int]
Match = tuple[str, bool]
"""What was found: the kind of identifier, and whether it is a weak one, that a person should judge."""


class Identifiers:
    """The identifiers of one patient.

    :param evidence: what the inputs say.
    :param public: texts that the output carries on purpose (research subject id, project, event). An identifier that
        is part of one of them is not searched for.
    :param dates: which dates count: those of birth always, the others unless the project keeps them.
    """

    def __init__(self, evidence: Evidence, public: Iterable[str] = (), *, keep_dates: bool = False) -> None:
        self._public = [fold(text) for text in public if text]
        self._evidence = evidence
        self.uids = frozenset(evidence.uids)
        self.numbers = frozenset(n for n in evidence.numbers if len(n) >= 6 and not self._is_public(fold(n)))
        birth = evidence.birth_dates - evidence.dates if keep_dates else evidence.birth_dates
        self.dates = frozenset(birth) | (frozenset() if keep_dates else frozenset(evidence.dates))

    def __repr__(self) -> str:
        return "<Identifiers>"

    def _is_public(self, folded: str) -> bool:
        return any(folded in text for text in self._public)

    @cached_property
    def _spellings(self) -> list[Spelling]:
        sources = (
            (self._evidence.names, spell_name),
            (self._evidence.numbers, spell_number),
            (self._evidence.phones, spell_phone),
            (self._evidence.phrases, spell_phrase),
        )
        return self._secret(spelling for values, spell in sources for value in values for spelling in spell(value))

    @cached_property
    def _dates(self) -> list[Spelling]:
        return self._secret(spelling for value in self.dates for spelling in spell_date(value))

    def _secret(self, spellings: Iterable[Spelling]) -> list[Spelling]:
        """Return those that do not stand in what the output carries on purpose."""
        return [
            s for s in set(spellings) if not any(s.key in text and s.compiled.search(text) for text in self._public)
        ]

    @cached_property
    def _binary_spellings(self) -> list[tuple[bytes, Spelling]]:
        return _binary(self._spellings)

    @cached_property
    def _binary_dates(self) -> list[tuple[bytes, Spelling]]:
        return _binary(self._dates)

    @cached_property
    def _mangled(self) -> list[str]:
        """Parts of names that were written in another character set than is declared: signs where letters should be."""
        parts = {part.strip() for name in self._evidence.names for part in name.split("^")}
        return [part for part in parts if len(part) >= 3 and any(_is_no_letter(c) for c in part)]

    @cached_property
    def _by_key(self) -> dict[str, list[Spelling]]:
        """Spellings by what any match of them holds; most texts hold none of it, so that few are ever compiled."""
        found: dict[str, list[Spelling]] = {}
        for spelling in (*self._spellings, *self._dates):
            found.setdefault(spelling.key, []).append(spelling)
        return found

    def _candidates(self, folded: str) -> Iterator[Spelling]:
        for key, spellings in self._by_key.items():
            if key in folded:
                yield from spellings

    def matches(self, text: str, *, free: bool = True) -> frozenset[Match]:
        """Return the kinds of identifiers that stand in a text; the arguments are those of :meth:`find`."""
        folded = fold(text)
        found = {
            (spelling.kind, spelling.weak)
            for spelling in self._candidates(folded)
            if (free or not spelling.free_only) and spelling.compiled.search(folded)
        }
        if not text.isascii() and any(literal in text for literal in self._mangled):
            found.add(("name", False))
        if self.uids and text.count(".") >= 3 and any(m.group() in self.uids for m in _UID_IN_TEXT.finditer(text)):
            found.add(("UID", False))
        return frozenset(found)

    @cached_property
    def _literals(self) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
        """Names that are not ASCII, in every encoding: those for small and those for large data."""
        found = {token for token in self._evidence.encoded if not self._is_public(fold(token.decode("latin-1")))}
        for value in (*self._evidence.names, *self._evidence.phrases):
            if not value.isascii() and not self._is_public(fold(value)):
                found.update(_encoded(value))
        small, large = (sorted(t for t in found if len(t) >= least) for least in (4, 6))
        return _alternatives(small), _alternatives(large)

    def find(self, text: str, *, free: bool = True) -> list[Span]:
        """Return where identifiers stand in a text, as spans that may overlap.

        :param free: whether it is free text; in codes and numbers, short numbers don't count.
        """
        folded, offsets = _fold_with_offsets(text)
        spans = [
            (offsets[match.start()], offsets[match.end() - 1] + 1)
            for spelling in self._candidates(folded)
            if free or not spelling.free_only
            for match in spelling.compiled.finditer(folded)
        ]
        if not text.isascii():
            spans += [m.span() for literal in self._mangled for m in re.finditer(re.escape(literal), text)]
        if self.uids and text.count(".") >= 3:
            spans += [m.span() for m in _UID_IN_TEXT.finditer(text) if m.group() in self.uids]
        return spans

    def cut(self, text: str, *, free: bool = True) -> str:
        """Return a text without the identifiers; the same text when there are none."""
        spans = self.find(text, free=free)
        if not spans:
            return text
        dropped = {index for start, end in spans for index in range(start, end)}
        return re.sub(r"\s{2,}", " ", "".join(c for i, c in enumerate(text) if i not in dropped)).strip(" ^,;:_-/")

    def is_number(self, text: str) -> bool:
        """Whether a numeric string is, as a whole, an identifying number of six digits or more."""
        return text.strip(" \0") in self.numbers

    def is_any_number(self, value: bytes) -> bool:
        """Whether one of the numeric strings in an encoded value is an identifying number."""
        return any(map(self.is_number, value.decode("latin-1").split("\\")))

    def is_uid(self, text: str) -> bool:
        """Whether a text is one of the UIDs."""
        return text in self.uids

    def in_bytes(self, data: bytes, *, dates: bool) -> bool:
        """Whether encoded bytes hold an identifier; as :meth:`matches_in_bytes`."""
        return bool(self.matches_in_bytes(data, dates=dates))

    def matches_in_bytes(self, data: bytes, *, dates: bool) -> frozenset[Match]:
        """Return the kinds of identifiers that encoded bytes hold. Only those count that chance does not make.

        :param dates: whether dates count too; not where moved dates could be the same as other original ones.
        """
        found: set[Match] = set()
        literals = self._literals[len(data) > _SMALL_BYTES]
        said = len(data) - data.count(0)
        # Numbers are mostly zeros. UTF-16 has at most one in two bytes; all other spellings have none.
        if said < _SHORTEST_IN_UTF16 or (literals is None and said < _SHORTEST_SPELLING):
            return frozenset()
        if literals is not None and literals.search(data):
            found.add(("name", False))
        lowered = data.lower()
        spellings = self._binary_spellings + (self._binary_dates if dates else [])
        found |= {
            (spelling.kind, spelling.weak)
            for key, spelling in spellings
            if key in lowered and spelling.compiled_for_bytes.search(lowered)
        }
        if self.uids and data.count(b".") >= 3:
            found |= {("UID", False) for m in _UID_IN_BYTES.finditer(data) if m.group().decode() in self.uids}
        return frozenset(found)


def _binary(spellings: list[Spelling]) -> list[tuple[bytes, Spelling]]:
    """Return the spellings that are searched in binary data, with their keys."""
    return [(s.key.encode(), s) for s in spellings if s.strong and not s.free_only and s.pattern.isascii()]


def _alternatives(literals: list[bytes]) -> re.Pattern[bytes] | None:
    return re.compile(b"|".join(map(re.escape, literals))) if literals else None


def _encoded(value: str) -> Iterator[bytes]:
    """Yield the parts of a name, alone and together, as every encoding writes those that are not ASCII."""
    parts = [part.strip() for part in re.split(r"[\^=,;\r\n]", value) if part.strip()]
    joined = [sign.join(order) for order in (parts[:2], parts[1::-1]) for sign in ("", " ", "^", ", ", "\u3000")]
    for text in {*parts, *joined}:
        for written in {text, text.lower(), text.upper(), text.title()}:
            if written.isascii() or len(written) < 2:
                continue
            for encoding in _ENCODINGS:
                with suppress(UnicodeEncodeError):
                    yield written.encode(encoding)


def _is_no_letter(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] in "CNPS" and not character.isspace()


def _fold_with_offsets(text: str) -> tuple[str, range | list[int]]:
    if text.isascii():
        return text.lower(), range(len(text))
    parts, offsets = [], []
    for index, character in enumerate(text):
        folded = fold_character(character)
        parts.append(folded)
        offsets.extend([index] * len(folded))
    return "".join(parts), offsets
