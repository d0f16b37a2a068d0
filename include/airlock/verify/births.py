"""Read the rarer ways in which a text may mention a day of birth: other calendars, words, and personal numbers."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from airlock.identity.calendars import MONTHS, OURS, chinese_number, elsewhere, ordinal, year_in_words
from airlock.patterns import compiled_later

_NUMBERS = re.compile(r"(?<!\d)(?=(\d{1,4})([\W_]{1,2}|年)(\d{1,2})([\W_]{1,2}|月)(\d{1,4})(?!\d))")
_WHOLE = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)")
_LETTERS = re.compile(r"[^\W\d_]+|\d+")
_DIGIT = re.compile(r"\d")
_MANY_DIGITS = re.compile(r"\d{6}.?\d{3}")
_PERSONAL = compiled_later(r"(?<!\d)(\d{6})[-+/a ]?\d{3,7}(?!\d)")
_WITH_CENTURY = compiled_later(r"(?<!\d)[1-8](\d{6})[-+/a ]?\d{3,7}(?!\d)")
_WITH_PLACE = compiled_later(r"(?<!\d)\d{6}(\d{8})\d{3}[\dx](?![^\W_])")
_IN_CHINESE = compiled_later(
    "([〇一二三四五六七八九]{4}|\\d{4})年([十一二三四五六七八九]{1,3}|\\d{1,2})月([十一二三四五六七八九]{1,3}|\\d{1,2})日"
)
_DIGITS = {sign: str(value) for value, sign in enumerate("〇一二三四五六七八九")}
_COUNTED = {chinese_number(number): number for number in range(1, 32)}
_ORDINALS = {ordinal(number): number for number in range(1, 32)}
_LITTLE = frozenset(("the", "of", "day", "st", "nd", "rd", "th"))
_MOST_WORDS = 12
# Of a year before 100 in another calendar, with month and day.
_FEWEST_DIGITS = 3
# Of women, of people born in another century, and of those who have no other number, month or day is moved.
_MOVED_MONTHS, _MOVED_DAYS = (0, 20, 50), (0, 40)


class Births:
    """Knows the days of birth.

    :param births: mostly one.
    """

    def __init__(self, births: Collection[date]) -> None:
        self._births = births
        self._elsewhere = {(name, day) for born in births for name, day in elsewhere(born)}
        years_first = {f"{b.year % 100:02}{b.month + more:02}{b.day:02}" for b in births for more in _MOVED_MONTHS}
        days_first = {f"{b.day + more:02}{b.month:02}{b.year % 100:02}" for b in births for more in _MOVED_DAYS}
        self._personal = (
            (_PERSONAL, years_first | days_first),
            (_WITH_CENTURY, years_first),
            (_WITH_PLACE, {f"{b:%Y%m%d}" for b in births}),
        )
        self._days = {day for _, day in self._elsewhere}
        self._named = {
            (MONTHS[name, month], day, year) for name, (year, month, day) in self._elsewhere if (name, month) in MONTHS
        }
        self._worded = {
            (OURS[born.month - 1], born.day, year)
            for born in births
            for year in (str(born.year), *(year_in_words(born.year) if 1800 <= born.year < 2100 else ()))
        } | {(month, day, str(year)) for month, day, year in self._named}
        self._months = {month for month, _, _ in self._worded}

    def mentioned(self, text: str) -> bool:
        """Whether a folded text mentions one."""
        if not self._births:
            return False
        return self._in_numbers(text) or self._in_words(text) or self._in_chinese(text)

    def personal_number(self, text: str) -> bool:
        """Whether a folded text holds a number that begins with a day of birth as personal numbers do."""
        if not _MANY_DIGITS.search(text):
            return False
        return any(match[1] in forms for pattern, forms in self._personal for match in pattern.finditer(text))

    def _in_numbers(self, text: str) -> bool:
        if not _DIGIT.search(text) or sum(map(str.isdigit, text)) < _FEWEST_DIGITS:
            return False
        for match in (*_NUMBERS.finditer(text), *_WHOLE.finditer(text)):
            a, b, c = (int(part) for part in match.groups() if part.isdigit())
            if (a, b, c) in self._days or (c >= 1000 and (c, b, a) in self._days):
                return True
        return False

    def _in_words(self, text: str) -> bool:
        if not any(month in text for month in self._months):
            return False
        words = [word for word in _LETTERS.findall(text) if word not in _LITTLE]
        return any(
            month in words and self._around([i for i, word in enumerate(words) if word == month], words, day, year)
            for month, day, year in self._worded
        )

    @staticmethod
    def _around(places: list[int], words: list[str], day: int, year: str) -> bool:
        for at in places:
            before, after = words[max(0, at - 2) : at], words[at + 1 : at + 1 + _MOST_WORDS]
            if _ends_with_day(before, day) and "".join(after).startswith(year):
                return True
            if any(_is_day(after[:size], day) and "".join(after[size:]).startswith(year) for size in (1, 2)):
                return True
        return False

    def _in_chinese(self, text: str) -> bool:
        if text.isascii():
            return False
        for match in _IN_CHINESE.finditer(text):
            year = int("".join(_DIGITS.get(sign, sign) for sign in match[1]))
            month, day = (_COUNTED.get(part) or (int(part) if part.isdecimal() else 0) for part in match.groups()[1:])
            if any((year, month, day) == (born.year, born.month, born.day) for born in self._births):
                return True
        return False


def _is_day(words: list[str], day: int) -> bool:
    joined = "".join(words)
    return _ORDINALS.get(joined) == day or (joined.isdigit() and int(joined) == day)


def _ends_with_day(words: list[str], day: int) -> bool:
    return any(_is_day(words[start:], day) for start in range(len(words)))
