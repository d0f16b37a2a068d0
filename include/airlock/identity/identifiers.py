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
    def _spellings(self) -> list[tuple[Spelling, re.Pattern[str]]]:
        sources = (
            (self._evidence.names, spell_name),
            (self._evidence.numbers, spell_number),
            (self._evidence.phones, spell_phone),
            (self._evidence.phrases, spell_phrase),
        )
        return self._compiled(spelling for values, spell in sources for value in values for spelling in spell(value))

    @cached_property
    def _dates(self) -> list[tuple[Spelling, re.Pattern[str]]]:
        return self._compiled(spelling for value in self.dates for spelling in spell_date(value))

    def _compiled(self, spellings: Iterable[Spelling]) -> list[tuple[Spelling, re.Pattern[str]]]:
        pairs = [(spelling, re.compile(spelling.pattern)) for spelling in set(spellings)]
        return [(s, p) for s, p in pairs if not any(p.search(text) for text in self._public)]

    @staticmethod
    def _binary(pairs: list[tuple[Spelling, re.Pattern[str]]]) -> list[tuple[bytes, re.Pattern[bytes], Match]]:
        return [
            (spelling.key.encode(), re.compile(spelling.pattern.encode()), (spelling.kind, spelling.weak))
            for spelling, _ in pairs
            if spelling.strong and not spelling.free_only and spelling.pattern.isascii()
        ]

    @cached_property
    def _binary_spellings(self) -> list[tuple[bytes, re.Pattern[bytes], Match]]:
        return self._binary(self._spellings)

    @cached_property
    def _binary_dates(self) -> list[tuple[bytes, re.Pattern[bytes], Match]]:
        return self._binary(self._dates)

    @cached_property
    def _binary_keys(self) -> re.Pattern[bytes] | None:
        return _alternatives(sorted({key for key, _, _ in (*self._binary_spellings, *self._binary_dates)}))

    @cached_property
    def _mangled(self) -> list[str]:
        """Parts of names that were written in another character set than is declared: signs where letters should be."""
        parts = {part.strip() for name in self._evidence.names for part in name.split("^")}
        return [part for part in parts if len(part) >= 3 and any(_is_no_letter(c) for c in part)]

    @cached_property
    def _keys(self) -> re.Pattern[str] | None:
        """One search for what any spelling needs; most texts hold none of it."""
        keys = sorted({re.escape(spelling.key) for spelling, _ in (*self._spellings, *self._dates)})
        return re.compile("|".join(keys)) if keys else None

    def _candidates(self, folded: str) -> Iterator[tuple[Spelling, re.Pattern[str]]]:
        if self._keys is not None and self._keys.search(folded):
            yield from ((s, p) for s, p in (*self._spellings, *self._dates) if s.key in folded)

    def matches(self, text: str, *, free: bool = True) -> frozenset[Match]:
        """Return the kinds of identifiers that stand in a text; the arguments are those of :meth:`find`."""
        folded = fold(text)
        found = {
            (spelling.kind, spelling.weak)
            for spelling, pattern in self._candidates(folded)
            if (free or not spelling.free_only) and pattern.search(folded)
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
            for spelling, pattern in self._candidates(folded)
            if free or not spelling.free_only
            for match in pattern.finditer(folded)
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

    def in_bytes(self, data: bytes, *, dates: bool) -> bool:
        """Whether encoded bytes hold an identifier; as :meth:`matches_in_bytes`."""
        return bool(self.matches_in_bytes(data, dates=dates))

    def matches_in_bytes(self, data: bytes, *, dates: bool) -> frozenset[Match]:
        """Return the kinds of identifiers that encoded bytes hold. Only those count that chance does not make.

        :param dates: whether dates count too; not where moved dates could be the same as other original ones.
        """
        found: set[Match] = set()
        literals = self._literals[len(data) > _SMALL_BYTES]
        if literals is not None and literals.search(data):
            found.add(("name", False))
        lowered = data.lower()
        patterns = self._binary_spellings + (self._binary_dates if dates else [])
        if self._binary_keys is not None and self._binary_keys.search(lowered):
            found |= {match for key, pattern, match in patterns if key in lowered and pattern.search(lowered)}
        if self.uids and data.count(b".") >= 3:
            found |= {("UID", False) for m in _UID_IN_BYTES.finditer(data) if m.group().decode() in self.uids}
        return frozenset(found)


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
