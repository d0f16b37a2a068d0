"""A day in other calendars than ours, and in words: how a date of birth may be written all the same.

The Islamic calendar is the tabular one; where the moon is watched, its days differ by one, so three are given. The
Persian one is Birashk's arithmetic; both as in Reingold and Dershowitz, *Calendrical Calculations*.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from airlock.identity.days import date, timedelta

Triple = tuple[int, int, int]
"""Year, month and day."""

# Days from the year 1 to the beginning of the Julian day count, at midnight.
_MIDNIGHT = 1721424.5
_ISLAMIC, _PERSIAN = 1948439.5, 1948320.5
_MONTHS = {
    "islamic": "muharram safar rabi1 rabi2 jumada1 jumada2 rajab shaban ramadan shawwal dhulqada dhulhijja",
    "persian": "farvardin ordibehesht khordad tir mordad shahrivar mehr aban azar dey bahman esfand",
}
MONTHS = {
    (kind, number): name
    for kind, names in _MONTHS.items()
    for number, name in enumerate(names.split(), 1)
    if name.isalpha()
}
_FIRST_TO_TWENTIETH = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ORDINALS = _FIRST_TO_TWENTIETH.split()
_ONE_TO_NINETEEN = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_CARDINALS = _ONE_TO_NINETEEN.split()
_TWELVE_MONTHS = "january february march april may june july august september october november december"
OURS = tuple(_TWELVE_MONTHS.split())
"""Our months in English."""
_TENS = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty", 6: "sixty", 7: "seventy", 8: "eighty", 9: "ninety"}
_SIGNS = "〇一二三四五六七八九"


@lru_cache(maxsize=64)
def elsewhere(day: date) -> frozenset[tuple[str, Triple]]:
    """Return a day in the calendars of other places, each with its name: Thai and Taiwanese years are ours moved."""
    found = {("thai", (day.year + 543, day.month, day.day)), ("persian", _persian(day))}
    if day.year > 1911:
        found.add(("taiwanese", (day.year - 1911, day.month, day.day)))
    found |= {("islamic", _islamic(day + timedelta(moved))) for moved in (-1, 0, 1)}
    return frozenset(found)


# Where these round up, they round down what is negative: `math` is loaded from a file of its own.
def _islamic(day: date) -> Triple:
    number = day.toordinal() + _MIDNIGHT
    year = int((30 * (number - _ISLAMIC) + 10646) // 10631)
    month = min(12, int(-((29 + _islamic_number(year, 1) - number) // 29.5)) + 1)
    return year, month, int(number - _islamic_number(year, month)) + 1


def _islamic_number(year: int, month: int) -> float:
    return 1 + -(-59 * (month - 1) // 2) + (year - 1) * 354 + (3 + 11 * year) // 30 + _ISLAMIC - 1


def _persian(day: date) -> Triple:
    number = day.toordinal() + _MIDNIGHT
    year = day.year - 621
    if number < _persian_new_year(year):
        year -= 1
    passed = int(number - _persian_new_year(year))
    month = passed // 31 + 1 if passed < 186 else (passed - 6) // 30 + 1
    return year, month, passed - (31 * (month - 1) if month <= 7 else 30 * (month - 1) + 6) + 1


def _persian_new_year(year: int) -> float:
    cycles, rest = divmod(year - 474, 2820)
    return 1 + ((474 + rest) * 682 - 110) // 2816 + (473 + rest) * 365 + cycles * 1029983 + _PERSIAN - 1


def ordinal(number: int) -> str:
    """Return the English ordinal of a day of the month, as one word."""
    if number <= 20:
        return _ORDINALS[number - 1]
    return "thirtieth" if number == 30 else _TENS[number // 10] + _ORDINALS[number % 10 - 1]


def year_in_words(year: int) -> Iterator[str]:
    """Yield a year between 1800 and 2099 in English words, without what stands between them."""
    century, rest = divmod(year, 100)
    said = _below_hundred(rest)
    if century == 20:
        yield from (f"twothousand{said}", f"twothousandand{said}")
    if said and rest >= 10:
        yield _below_hundred(century) + said
    if century < 20:
        yield from (f"{_below_hundred(century)}hundred{said}", f"{_below_hundred(century)}hundredand{said}")
        if 0 < rest < 10:
            yield f"{_below_hundred(century)}oh{said}"


def _below_hundred(number: int) -> str:
    if number < 20:
        return _CARDINALS[number - 1] if number else ""
    return _TENS[number // 10] + (_CARDINALS[number % 10 - 1] if number % 10 else "")


def chinese_year(year: int) -> str:
    """Return a year in Chinese digits."""
    return "".join(_SIGNS[int(digit)] for digit in str(year))


def chinese_number(number: int) -> str:
    """Return a number from 1 to 99 as Chinese writes it."""
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else f"{_SIGNS[tens]}十") + (_SIGNS[ones] if ones else "")
