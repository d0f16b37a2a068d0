"""The rarer formats of a date, in which only dates of birth are searched: other calendars, words, personal numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airlock.identity.calendars import MONTHS, OURS, chinese_number, chinese_year, elsewhere, ordinal, year_in_words
from airlock.identity.days import date
from airlock.identity.vocabulary import fold

Form = tuple[str, str, str]
"""What every match holds, what it holds besides that, and the expression."""
# What never matches is among them, so that they are not made a set: one of such signs takes longer to compile than all
# else in a pattern.
SIGNS = "|".join((*(fold(sign) for sign in "年月년월"), "(?!)"))
# The first day of each Japanese era, with its name and letter.
_ERAS = (
    (date(2019, 5, 1), "令和", "r"), (date(1989, 1, 8), "平成", "h"), (date(1926, 12, 25), "昭和", "s"),
    (date(1912, 7, 30), "大正", "t"), (date(1868, 1, 25), "明治", "m"),
)  # fmt: skip
# Days from the year 1 to the beginning of the Julian day count.
_JULIAN = 1721425
_YEAR_SIGN = "年"
# Of women, of people born in another century, and of those who have no other number, month or day is moved.
_MOVED_MONTHS, _MOVED_DAYS = (0, 20, 50), (0, 40)
_SEPARATED = rf"(?:[\W_]{{1,2}}|\s?(?:{SIGNS})\s?)"
_FILLED = r"(?:[\W_]|the(?![^\W\d_])|of(?![^\W\d_])|day(?![^\W\d_]))*"


def spell_birth(value: str) -> Iterator[Form]:
    """Yield the forms of a date of birth given as `YYYYMMDD`."""
    year, month, day = value[:4], value[4:6], value[6:8]
    yield year, day, rf"(?<!\d){year}{day}{month}(?!\d)"
    try:
        born = date(int(year), int(month), int(day))
    except ValueError:
        return
    week = born.isocalendar()
    yield str(week.year), "w", rf"(?<!\d){week.year}[\W_]?w{week.week:02}[\W_]?{week.weekday}(?!\d)"
    number = f"{born.timetuple().tm_yday:03}"
    yield number, year[2:], rf"(?<!\d)(?:{year}[-./ ]?|{year[2:]}[-./]?){number}(?!\d)"
    yield str(born.toordinal() + _JULIAN), "", rf"(?<!\d){born.toordinal() + _JULIAN}(?!\d)"
    yield from _in_era(born)
    yield from _elsewhere(born)
    yield from _in_words(born)


def birth_keys(value: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of which every match of :func:`spell_birth` or :func:`spell_personal_number` has both."""
    year, month, day = value[2:4], value[4:6], value[6:8]
    yield year, str(int(day))
    yield month + year, ""
    try:
        born = date(int(value[:4]), int(month), int(day))
    except ValueError:
        return
    yield str(born.isocalendar().year), "w"
    yield f"{born.timetuple().tm_yday:03}", year
    yield str(born.toordinal() + _JULIAN), ""
    first = next((first for first, _, _ in _ERAS if born >= first), None)
    if first is not None:
        # The first year has another sign than a number.
        yield str(born.year - first.year + 1) if born.year > first.year else "", str(born.day)
    yield from ((str(year), str(day)) for _, (year, _, day) in elsewhere(born))
    yield OURS[born.month - 1], ""
    yield _YEAR_SIGN, ""


def birth_keys_in_one_run(value: str) -> Iterator[str]:
    """Yield the same for texts whose digits all stand side by side: without separators, or a month between them."""
    year, month, day = value[:4], value[4:6], value[6:8]
    yield year + day + month
    yield from (f"{year[2:]}{int(month) + more:02}{day}" for more in _MOVED_MONTHS)
    yield from (f"{int(day) + more:02}{month}{year[2:]}" for more in _MOVED_DAYS)
    yield value[:8]
    try:
        born = date(int(year), int(month), int(day))
    except ValueError:
        return
    yield f"{year[2:]}{born.timetuple().tm_yday:03}"
    yield str(born.toordinal() + _JULIAN)
    # With the name of the month before them, day and year may stand side by side, or be words.
    yield OURS[born.month - 1]
    for calendar, (its_year, its_month, its_day) in elsewhere(born):
        yield MONTHS.get((calendar, its_month), f"{its_year}{its_month:02}{its_day:02}")
        yield f"{its_year}{its_month:02}{its_day:02}"
    yield _YEAR_SIGN


def spell_personal_number(value: str) -> Iterator[Form]:
    """Yield the same of numbers that states give to people, which mostly begin with the date of birth.

    Such as those of the Nordic and Baltic states, Belgium, Poland (month + 20), Czechia (month + 50), Bulgaria,
    Romania, Korea, South Africa, and of China, where a place stands before it.
    """
    year, month, day = value[2:4], value[4:6], value[6:8]
    behind = r"[-+/a ]?\d{3,7}(?!\d)"
    months = "|".join(f"{int(month) + more:02}" for more in _MOVED_MONTHS)
    yield year, day, rf"(?<!\d)[1-8]?{year}(?:{months}){day}{behind}"
    days = "|".join(f"{int(day) + more:02}" for more in _MOVED_DAYS)
    yield month + year, "", rf"(?<!\d)(?:{days}){month}{year}{behind}"
    yield value[:4], day, rf"(?<!\d)\d{{6}}{value[:8]}\d{{3}}[\dx](?![^\W_])"


def _in_era(born: date) -> Iterator[Form]:
    for first, era, letter in _ERAS:
        if born >= first:
            numbered = born.year - first.year + 1
            said = rf"{numbered}" if numbered > 1 else "(?:1|元)"
            month, day = f"0?{born.month}", f"0?{born.day}"
            yield (
                str(numbered) if numbered > 1 else "",
                str(born.day),
                rf"(?:{era}|(?<![^\W\d_]){letter}[.\s]?)\s?0?{said}{_SEPARATED}{month}{_SEPARATED}{day}(?!\d)",
            )
            return


def _elsewhere(born: date) -> Iterator[Form]:
    for calendar, (year, month, day) in elsewhere(born):
        y, m, d, s = f"0?{year}" if year < 1000 else str(year), f"0?{month}", f"0?{day}", _SEPARATED
        also = str(day)
        yield str(year), also, rf"(?<!\d){y}{s}{m}{s}{d}(?!\d)"
        if year >= 1000:
            yield str(year), also, rf"(?<!\d){d}{s}{m}{s}{y}(?!\d)"
            yield str(year), also, rf"(?<!\d){year}{month:02}{day:02}(?!\d)"
        if name := MONTHS.get((calendar, month)):
            yield str(year), also, rf"(?<!\d)(?:{d}{_FILLED}{name}|{name}{_FILLED}{d}){_FILLED}{y}(?!\d)"


def _in_words(born: date) -> Iterator[Form]:
    month, day = rf"{OURS[born.month - 1]}", _loose(ordinal(born.day))
    day = rf"(?:{day}|0?{born.day}(?:st|nd|rd|th)?)"
    years = "|".join([str(born.year), *map(_loose, year_in_words(born.year) if 1800 <= born.year < 2100 else ())])
    either = rf"(?:{day}{_FILLED}{month}|{month}{_FILLED}{day})"
    yield OURS[born.month - 1], "", rf"(?<![^\W_]){either}{_FILLED}(?:{years})(?![^\W_])"
    year = f"(?:{born.year}|{chinese_year(born.year)})"
    yield (
        _YEAR_SIGN,
        "",
        rf"{year}年(?:{chinese_number(born.month)}|0?{born.month})月(?:{chinese_number(born.day)}|0?{born.day})日",
    )


def _loose(word: str) -> str:
    """Match words that were joined, with anything or nothing between their parts."""
    return re.sub(r"(?<=ty)(?=[a-z])|(?<=hundred)(?=[a-z])|(?<=thousand)(?=[a-z])|(?<=teen)(?=[a-z])|(?<=and)(?=[a-z])",
                  r"[\\W_]*", word)  # fmt: skip
