"""Identifiers: finds what was harvested from a study in text and in bytes, and cuts it out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from airlock.identity.consonants import Consonants
from airlock.identity.dated import Dated
from airlock.identity.encoded import encoded_forms, wide_text
from airlock.identity.evidence import Evidence
from airlock.identity.in_bytes import SMALL_BYTES, alternatives, together_in_bytes
from airlock.identity.judge import Names
from airlock.identity.readings import Reading, readings
from airlock.identity.spell_dates import fewest_in_date
from airlock.identity.spelled import Keys, Spelled, spelled
from airlock.identity.spellings import Spelling
from airlock.identity.typing_errors import TypingErrors
from airlock.identity.vocabulary import fold
from airlock.identity.whole import WholeValues
from airlock.patterns import compiled_later

_UID_IN_TEXT = compiled_later(r"\d+(?:\.\d+){3,}")
_UID_IN_BYTES = compiled_later(rb"\d+(?:\.\d+){3,}")
# Cutting may bring together what stood apart.
_MOST_CUTS = 8
# An escape sequence of ISO 2022 that leads to nothing any more.
_EMPTY_ESCAPE = compiled_later(r"\x1b[$()\-]{1,2}[A-Z@](?=\s|$)")
# Characters of the shortest name that is searched in bytes in UTF-16, and of the shortest UID.
_SHORTEST_IN_UTF16, _SHORTEST_UID = 2, 7
_FEWEST_IN_UID, _FEWEST_POINTS = 4, 3
_NEITHER = bytes(code for code in range(256) if not (chr(code).isascii() and chr(code).isalnum()))
"""Bytes that are neither letters nor digits."""
# Of longer binary values, equal bytes are chance.
_MOST_NUMBERS = 64
_LOOSE = Spelling("", "", strong=False, free_only=True, kind="name", weak=True)
# Text in bytes of any kind: shorter runs of printable characters are chance.
_PRINTABLE = re.compile(rb"[\x20-\x7e]{8,}")
_SPELLED = ("names", "numbers", "phones", "phrases")
"""What of the evidence is searched in every form that it may have, beside dates."""
Span = tuple[int, int]
Match = tuple[str, bool]
"""What was found: the kind of identifier, and whether it is a weak one, that a person should judge."""


class Identifiers(WholeValues):
    """The identifiers of one patient.

    :param evidence: what the inputs say.
    :param public: texts that the output carries on purpose (research subject id, project, event). An identifier that
        is part of one of them is not searched for.
    :param dates: which dates count: those of birth always, the others unless the project keeps them.
    """

    def __init__(self, evidence: Evidence, public: Iterable[str] = (), *, keep_dates: bool = False) -> None:
        self._public = [fold(text) for text in public if text]
        self._evidence = evidence
        births = frozenset(evidence.birth_dates - evidence.events)
        self._birth = births if keep_dates else frozenset(evidence.birth_dates)
        super().__init__(
            frozenset(evidence.uids),
            frozenset(n for n in evidence.numbers if len(n) >= 6 and not self._is_public(fold(n))),
            self._birth | (frozenset() if keep_dates else frozenset(evidence.dates)),
            births,
        )

    def __repr__(self) -> str:
        return "<Identifiers>"

    def _is_public(self, folded: str) -> bool:
        return any(folded in text for text in self._public)

    @cached_property
    def _spelled(self) -> list[Spelled]:
        """Names, numbers, telephone numbers and addresses, each in all the ways it may be written."""
        said = vars(self._evidence)
        return self._secret(spelled(kind, value) for kind in _SPELLED for value in said[kind])

    @cached_property
    def _dated(self) -> Dated:
        return Dated(self.dates, self._birth, self._secret)

    def _secret(self, values: Iterable[Spelled]) -> list[Spelled]:
        """Return those that do not stand in what the output carries on purpose."""
        public = [(text, re.sub(r"[\W_]+", "", text)) for text in self._public]
        all_public = "\n".join(text for both in public for text in both)
        return [value.without(public, all_public) for value in values]

    @cached_property
    def fewest_points(self) -> int:
        """So many points has every text or value in which something is found: three where only UIDs are known."""
        return 0 if self._spelled or self.dates or self._evidence.encoded else _FEWEST_POINTS

    @cached_property
    def _names(self) -> Names:
        return Names(self._evidence.names)

    @cached_property
    def _typing_errors(self) -> TypingErrors:
        return TypingErrors(self._evidence.names, self._public)

    @cached_property
    def _consonants(self) -> Consonants:
        return Consonants(self._evidence.names)

    @cached_property
    def _binary_spellings(self) -> list[tuple[bytes, Spelling]]:
        return [both for value in self._spelled for both in value.binary]

    @cached_property
    def _shortest(self) -> int:
        """Of so many bytes is what is searched in bytes, at least."""
        return min((len(key) for key, _ in self._binary_spellings), default=_SHORTEST_UID)

    @cached_property
    def _fewest(self) -> int:
        """So many letters and digits has what is searched in bytes, at least; binary numbers mostly have fewer."""
        dates = fewest_in_date(birth=bool(self._birth)) if self.dates else _FEWEST_IN_UID
        return min([_FEWEST_IN_UID, dates, *(value.fewest for value in self._spelled)])

    @cached_property
    def _binary_dates(self) -> list[tuple[bytes, Spelling]]:
        return [both for value in self._dated.strong() for both in value.binary]

    @cached_property
    def _mangled(self) -> list[str]:
        """Parts of names that were written in another character set than is declared: signs where letters should be."""
        parts = {part.strip() for name in self._evidence.names for part in name.split("^")}
        return [part for part in parts if len(part) >= 3 and any(_is_no_letter(c) for c in part)]

    @cached_property
    def _by_key(self) -> tuple[Keys, Keys]:
        """Spellings by what any match of them holds; most texts hold none of it, so that few are ever compiled.

        Those in the second one hold it without their separators.
        """
        values = self._spelled
        return Keys(value.solid for value in values), Keys(value.gapped for value in values)

    def _candidates(self, reading: Reading, *, free: bool) -> Iterator[Spelling]:
        solid, gapped = self._by_key
        for held in (
            solid.held_by(reading.folded, reading.pairs),
            gapped.held_by(reading.compact, reading.compact_pairs),
        ):
            yield from (spelling for spelling in held if free or not spelling.free_only)
        yield from (spelling for spelling in self._dated.held_by(reading) if free or not spelling.free_only)

    def _found(self, text: str, *, free: bool) -> Iterator[tuple[Spelling, Span]]:
        """Yield each spelling with where it stands in the text."""
        if not (self._spelled or self.dates):
            return
        for reading in readings(text):
            for spelling in self._candidates(reading, free=free):
                for match in spelling.compiled.finditer(reading.folded):
                    if self._names.counts(spelling, reading, match):
                        yield spelling, reading.span(*match.span())
            if free:
                for others in (self._typing_errors, self._consonants):
                    yield from ((_LOOSE, reading.span(*span)) for span in others.spans(reading.folded))

    def _literal_spans(self, text: str) -> Iterator[Span]:
        """Yield where names stand that were written in another character set than is declared."""
        if text.isascii():
            return
        for literal in self._mangled:
            yield from (m.span() for m in re.finditer(re.escape(literal), text))
        pattern = self._literals[len(text) > SMALL_BYTES]
        if pattern is not None and max(text) < "\u0100":
            yield from (m.span() for m in pattern.finditer(text.encode("latin-1")))

    def _uid_spans(self, text: str) -> Iterator[Span]:
        if self.uids and text.count(".") >= _FEWEST_POINTS:
            yield from (m.span() for m in _UID_IN_TEXT.finditer(text) if m.group() in self.uids)

    def matches(self, text: str, *, free: bool = True) -> frozenset[Match]:
        """Return the kinds of identifiers that stand in a text; the arguments are those of :meth:`find`."""
        found = {(spelling.kind, spelling.weak) for spelling, _ in self._found(text, free=free)}
        found |= {("name", False) for _ in self._literal_spans(text)}
        found |= {("UID", False) for _ in self._uid_spans(text)}
        return frozenset(found)

    @cached_property
    def _literals(self) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
        """Names that are not ASCII, in every encoding: those for small and those for large data."""
        found = {token for token in self._evidence.encoded if not self._is_public(fold(token.decode("latin-1")))}
        for value in (*self._evidence.names, *self._evidence.phrases):
            if not value.isascii() and not self._is_public(fold(value)):
                found.update(encoded_forms(value))
        small, large = (sorted(t for t in found if len(t) >= least) for least in (4, 6))
        return alternatives(small), alternatives(large)

    def find(self, text: str, *, free: bool = True) -> list[Span]:
        """Return where identifiers stand in a text, as spans that may overlap.

        :param free: whether it is free text; in codes and numbers, short numbers don't count.
        """
        spans = [span for _, span in self._found(text, free=free)]
        return spans + list(self._literal_spans(text)) + list(self._uid_spans(text))

    def cut(self, text: str, *, free: bool = True) -> str:
        """Return a text without the identifiers; the same text when there are none."""
        for _ in range(_MOST_CUTS):
            spans = self.find(text, free=free)
            if not spans:
                return text
            dropped = {index for start, end in spans for index in range(start, end)}
            kept = _EMPTY_ESCAPE.sub("", "".join(c for i, c in enumerate(text) if i not in dropped))
            text = re.sub(r"\s{2,}", " ", kept).strip(" ^,;:_-/")
        return ""

    def any_in_bytes(self, values: Sequence[bytes]) -> bool:
        """Whether one of several short encoded values may hold an identifier, but for dates; a no is certain."""
        if self.is_binary_number(b"".join([value for value in values if not len(value) % 4])):
            return True
        if self._literals[False] is None:
            # What has so few letters and digits, and no name in another encoding, is none; most numbers are like that.
            fewest = self._fewest
            values = [value for value in values if len(value.translate(None, _NEITHER)) >= fewest]
        return bool(values) and any(self.matches_in_bytes(one, dates=False) for one in together_in_bytes(values))

    def in_bytes(self, data: bytes, *, dates: bool) -> bool:
        """Whether encoded bytes hold an identifier; as :meth:`matches_in_bytes`."""
        return bool(self.matches_in_bytes(data, dates=dates))

    def matches_in_bytes(self, data: bytes, *, dates: bool) -> frozenset[Match]:
        """Return the kinds of identifiers that encoded bytes hold. Only those count that chance does not make.

        :param dates: whether dates count too; not where moved dates could be the same as other original ones.
        """
        found: set[Match] = set()
        if len(data) <= _MOST_NUMBERS and not len(data) % 4 and self.is_binary_number(data):
            return frozenset((("number", False),))
        literals = self._literals[len(data) > SMALL_BYTES]
        said = len(data) - data.count(0)
        # Numbers are mostly zeros. UTF-16 has at most one in two bytes; all other spellings have none.
        if said < _SHORTEST_IN_UTF16 or (literals is None and not dates and said < self._shortest):
            return frozenset()
        if literals is not None and literals.search(data):
            found.add(("name", False))
        if len(data.translate(None, _NEITHER)) < self._fewest:
            return frozenset(found)
        lowered = data.lower()
        if b"\0" in data and (wide := wide_text(lowered)):
            lowered += b"\n" + wide
        spellings = self._binary_spellings + (self._binary_dates if dates else [])
        found |= {
            (spelling.kind, spelling.weak)
            for key, spelling in spellings
            if key in lowered and spelling.compiled_for_bytes.search(lowered)
        }
        for run in _PRINTABLE.findall(data):
            found |= {match for match in self.matches(run.decode("ascii"), free=False) if _is_sure(match, dates=dates)}
        if self.uids and lowered.count(b".") >= _FEWEST_POINTS:
            found |= {("UID", False) for m in _UID_IN_BYTES.finditer(lowered) if m.group().decode() in self.uids}
        return frozenset(found)


def _is_sure(match: Match, *, dates: bool) -> bool:
    """Whether chance does not make a match in bytes."""
    kind, weak = match
    return not weak and (dates or kind != "date")


def _is_no_letter(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] in "CNPS" and not character.isspace()
