"""Read the dates that a text mentions, and compare them with those of the inputs."""

# ruff: noqa: RUF001 - months of other alphabets are meant

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache

from airlock.identity.vocabulary import fold
from airlock.patterns import compiled_later
from airlock.verify.births import Births

_PARTS = re.compile(r"(?<!\d)(?=(\d{1,4})([\W_]{1,3}|\s?年\s?)(\d{1,2})([\W_]{1,3}|\s?月\s?)(\d{1,4})(?!\d))")
_KOREAN = compiled_later(r"(\d{4})년\s?(\d{1,2})월\s?(\d{1,2})")
_SOLID = re.compile(r"(?<!\d)\d{6,8}(?!\d)|(?<!\d)(\d{8})(?:[01]\d|2[0-3])(?:[0-5]\d){1,2}(?!\d)")
_WEEK = compiled_later(r"(?<!\d)(\d{4})[\W_]?w(\d{2})[\W_]?(\d)(?!\d)")
_DAY_OF_YEAR = re.compile(r"(?<!\d)(\d{4}|\d{2}(?=[-./]))[-./ ]?(\d{3})(?!\d)")
_ERA = re.compile(
    r"(令和|平成|昭和|大正|明治|(?<![^\W\d_])[rhstm][.\s]?)\s?(\d{1,2})\D{1,3}(\d{1,2})\D{1,3}(\d{1,2})(?!\d)"
)
_ERAS = {
    "令": 2018,
    "r": 2018,
    "平": 1988,
    "h": 1988,
    "昭": 1925,
    "s": 1925,
    "大": 1911,
    "t": 1911,
    "明": 1867,
    "m": 1867,
}
_WORDS = re.compile(r"\d+|[^\W\d_]+")
_MONTHS = {
    stem: number
    for number, stems in enumerate(
        ("jan ene gen янв ιαν sty tam oca", "feb fev фев φεβ lut hel sub", "mar mrz maar мар μαρ maa",
         "apr avr abr апр kwi huh nis", "may mai mei maj mag май мая μαι tou", "jun juin giu июн ιουν cze kes haz",
         "jul juil lug июл ιουλ lip hei tem", "aug aou ago авг αυγ sie elo agu", "sep set сен σεπ szep wrz syy eyl",
         "oct okt out ott окт οκτ paz lok eki", "nov ноя νοε lis marr kas", "dec dez des dic дек δεκ gru jou ara"), 1
    )
    for stem in map(fold, stems.split())
}  # fmt: skip
_FILLERS = frozenset(["st", "nd", "rd", "th", "er", "ere", "eme", "e", "o", "a", "de", "of", "di", "den", "the", "day"])
_ROMAN = ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"]
_LONGEST_REMEMBERED = 128
_JULIAN_OFFSET = 1721425


class Days:
    """Knows the dates of a study.

    :param days: `YYYYMMDD`.
    :param births: those of birth, which are also read from the rarer formats.
    """

    def __init__(self, days: Iterable[str], births: Iterable[str]) -> None:
        self._all, self._births = set(_dates(days)), set(_dates(births))
        self._rarely = Births(self._births)
        self._short = {(day.year % 100, day.month, day.day) for day in self._all}

    def mentioned(self, folded: str, *, free: bool) -> Iterator[bool]:
        """Yield for each mention of a known date whether it may also be something else.

        :param folded: text without case and accents.
        :param free: whether six digits count.
        """
        if not self._all:
            return
        if self._rarely.mentioned(folded):
            yield False
        if not any(c.isdigit() for c in folded):
            return
        if free and self._rarely.personal_number(folded):
            yield True
        read, solid, rare = _dates_in(folded) if len(folded) <= _LONGEST_REMEMBERED else _read(folded)
        if any(self._known(*found) for found in read):
            yield False
        for digits in solid:
            yield from self._solid(digits, free=free)
        if not self._births.isdisjoint(rare):
            yield False

    def _known(self, year: str, month: int, day: int) -> bool:
        if len(year) == 2:
            return (int(year), month, day) in self._short
        return len(year) == 4 and any((int(year), month, day) == (d.year, d.month, d.day) for d in self._all)

    def _solid(self, digits: str, *, free: bool) -> Iterator[bool]:
        a, b, c = digits[:2], digits[2:4], digits[4:]
        if len(digits) == 8:
            whole = ((digits[:4], digits[4:6], digits[6:]), (c, b, a), (c, a, b))
            if any(self._known(y, int(m), int(d)) for y, m, d in whole):
                yield False
            if any(f"{born:%Y%d%m}" == digits for born in self._births):
                yield False
        elif (
            len(digits) == 6
            and free
            and any(self._known(y, int(m), int(d)) for y, m, d in ((a, b, c), (c, b, a), (c, a, b)))
        ):
            yield not any(f"{born:%y%m%d}" in (a + b + c, c + b + a, c + a + b) for born in self._births)
        elif len(digits) == 7 and any(str(born.toordinal() + _JULIAN_OFFSET) == digits for born in self._births):
            yield False


Read = tuple[list[tuple[str, int, int]], list[str], list[date]]
"""Year, month and day of what may be dates; digits that may be one; and days in rarer formats."""


def _read(folded: str) -> Read:
    solid = [match[1] or match[0] for match in _SOLID.finditer(folded)]
    return [*_numeric(folded), *_worded(folded)], solid, list(_rare(folded))


# Most texts stand in the files of many patients.
@lru_cache(maxsize=2048)
def _dates_in(folded: str) -> Read:
    return _read(folded)


def _dates(days: Iterable[str]) -> Iterator[date]:
    for text in days:
        try:
            yield date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        except ValueError:
            continue


def _numeric(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield year, month and day of what may be a date in numbers."""
    for match in (*_PARTS.finditer(text), *(_KOREAN.finditer(text) if "년" in text else ())):
        a, b, c = match.groups() if len(match.groups()) == 3 else (match[1], match[3], match[5])
        if len(a) == 4:
            yield a, int(b), int(c)
        if len(c) in (2, 4) and len(a) <= 2:
            yield c, int(b), int(a)
            yield c, int(a), int(b)
        if len(a) == len(b) == len(c) == 2 and match[2] in ("-", "/") and match[2] == match[4]:
            yield a, int(b), int(c)


def _worded(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield year, month and day of what may be a date with the name, or the roman number, of its month."""
    words = [word for word in _WORDS.findall(text) if word not in _FILLERS]
    for index, word in enumerate(words):
        month = _MONTHS.get(word[:4]) or _MONTHS.get(word[:3]) or (_ROMAN.index(word) + 1 if word in _ROMAN else 0)
        if not month or word.isdigit():
            continue
        before, after = words[max(0, index - 2) : index], words[index + 1 : index + 3]
        around = [*zip(before[-1:], after[:1], strict=False)]
        pairs = [*around, *((year, day) for day, year in around), *([tuple(after)] if len(after) == 2 else [])]
        for day, year in pairs:
            if day.isdigit() and year.isdigit() and len(day) <= 2:
                yield year, month, int(day)


def _rare(text: str) -> Iterator[date]:
    for match in _WEEK.finditer(text) if "w" in text else ():
        try:
            yield date.fromisocalendar(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            continue
    for match in _DAY_OF_YEAR.finditer(text):
        for century in ("",) if len(match[1]) == 4 else ("19", "20"):
            year = int(century + match[1])
            if year and 1 <= int(match[2]) <= 366:
                yield date(year, 1, 1) + timedelta(int(match[2]) - 1)
    for match in _ERA.finditer(text):
        try:
            yield date(_ERAS[match[1][0]] + int(match[2]), int(match[3]), int(match[4]))
        except ValueError:
            continue
