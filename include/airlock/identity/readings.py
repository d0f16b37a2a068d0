"""The ways to read one text: as it stands, without escapes, with words taken apart, with spaced letters put together.

Each reading is folded (see :func:`airlock.identity.vocabulary.fold`) and remembers where its characters come from, so
that what is found in it can be cut from the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache, partial

from airlock.identity.coded import uncoded
from airlock.identity.escapes import undone_in
from airlock.identity.mapped import Mapped
from airlock.identity.transliterate import in_latin_letters
from airlock.identity.vocabulary import fold, fold_character
from airlock.patterns import compiled_later

_ACCENTED, _FOREIGN = compiled_later("[\u0370-\u03ff\u1f00-\u1fff]"), compiled_later("[\u0370-\u04ff]")
_GAPS = re.compile(r"[\W_]+")
_APART = compiled_later(r"\d\D+\d")
_SMALL, _LARGE, _SIGN = "a-zß-öø-ÿ", "A-ZÀ-ÖØ-Þ", "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"

_FIRST_SIGN = _SIGN[0]
_LONGEST_REMEMBERED = 64


# Patterns of ranges as large as those of signs take milliseconds to compile, and most texts have none of them.
@lru_cache(maxsize=2)
def _hump(*, signs: bool) -> re.Pattern[str]:
    """`ErikaMustermann`, `MRMustermann`, `患者Mustermann`; digits between letters stay what they are."""
    letters = f"(?<=[{_SMALL}])(?=[{_LARGE}])|(?<=[{_LARGE}])(?=[{_LARGE}][{_SMALL}])"
    if not signs:
        return re.compile(letters)
    return re.compile(f"{letters}|(?<=[{_SMALL}{_LARGE}])(?=[{_SIGN}])|(?<=[{_SIGN}])(?=[{_SMALL}{_LARGE}])")


@lru_cache(maxsize=2)
def _spaced(*, signs: bool) -> re.Pattern[str]:
    """`M U S T E R`, `M.U.S.T.E.R`, `张 小 东`: single letters with one sort of gap between them."""
    letters = r"(?<![^\W\d_])[^\W\d_]([\W_]{1,3})[^\W\d_](?:(?:\1|[\W_]{1,3})[^\W\d_](?![^\W\d_]))+(?![^\W\d_])"
    return re.compile(letters + (f"|[{_SIGN}](?:[ \u3000._-]{{1,2}}[{_SIGN}])+" if signs else ""))


class Reading:
    """One reading of a text.

    :param mapped: the text as it is read, before it is folded.
    """

    def __init__(self, mapped: Mapped) -> None:
        self._mapped = mapped
        text = mapped.text
        if text.isascii():
            self.folded, self._index = text.lower(), None
            return
        parts: list[str] = []
        index: list[int] = []
        for place, character in enumerate(text):
            folded = fold_character(character)
            parts.append(folded)
            index.extend([place] * len(folded))
        self.folded, self._index = "".join(parts), index

    @cached_property
    def compact(self) -> str:
        """Its letters and digits alone."""
        return _GAPS.sub("", self.folded)

    @cached_property
    def pairs(self) -> frozenset[str]:
        """Every two characters in a row."""
        return _pairs(self.folded)

    @cached_property
    def compact_pairs(self) -> frozenset[str]:
        """The same of its letters and digits alone."""
        return _pairs(self.compact)

    @cached_property
    def digits_apart(self) -> bool:
        """Whether anything stands between two of its digits."""
        return _APART.search(self.folded) is not None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the text a stretch of the reading comes from."""
        if self._index is None:
            return self._mapped.span(start, end)
        return self._mapped.span(self._index[start], self._index[end - 1] + 1)

    def written(self, start: int, end: int) -> str:
        """Return a stretch of the reading with its capitals and accents."""
        if self._index is None:
            return self._mapped.text[start:end]
        return self._mapped.text[self._index[start] : self._index[end - 1] + 1]


def _pairs(text: str) -> frozenset[str]:
    return frozenset([text[at : at + 2] for at in range(len(text) - 1)])


def readings(text: str) -> Iterable[Reading]:
    """Return every reading of a text that differs from the others."""
    return _known_readings(text) if len(text) <= _LONGEST_REMEMBERED else _readings(text)


# Codes, and what devices write, are the same in the files of all patients.
@lru_cache(maxsize=1024)
def _known_readings(text: str) -> tuple[Reading, ...]:
    return tuple(_readings(text))


def _readings(text: str) -> Iterator[Reading]:
    plain = Mapped.of(text)
    decoded = [plain, *uncoded(plain)]
    for mapped in {id(each): each for each in (*decoded, *map(undone_in, decoded))}.values():
        yield Reading(mapped)
        yield from map(Reading, _transliterated(mapped))
        signs = not mapped.text.isascii() and max(mapped.text) >= _FIRST_SIGN
        apart = mapped.replaced(_hump(signs=signs), lambda _: " ")
        if apart is not mapped:
            yield Reading(apart)
        together = mapped.replaced(_spaced(signs=signs), lambda match: _GAPS.sub("", match.group()))
        if together is not mapped:
            yield Reading(together)


def _transliterated(mapped: Mapped) -> Iterator[Mapped]:
    """Yield a text with its Cyrillic and Greek letters as Latin ones: a name may be known in these alone."""
    if mapped.text.isascii():
        return
    plain = mapped.replaced(_ACCENTED, lambda match: _without_accent(match.group()))
    for table in in_latin_letters(plain.text):
        yield plain.replaced(_FOREIGN, partial(_looked_up, table))


def _looked_up(table: dict[int, str], match: re.Match[str]) -> str | None:
    return table.get(ord(match.group()))


def _without_accent(letter: str) -> str | None:
    base = unicodedata.normalize("NFD", letter)[0]
    return base if base != letter and letter not in "йЙ" else None


def folded_readings(text: str) -> set[str]:
    """Return every reading of a short text, folded."""
    return {fold(text)} | {reading.folded for reading in readings(text)}
