"""The formats in which people and devices write a date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from airlock.identity.spellings import Spelling
from airlock.identity.vocabulary import fold

# English and its neighbours.
_MONTHS = (
    "jan|ene|gen|янв", "feb|fev|fév|фев", "mar|mrz|maar|мар", "apr|avr|abr|апр", "mai|may|mei|maj|mag|май|мая",
    "jun|juin|giu|июн", "jul|juil|lug|июл", "aug|aou|ago|авг", "sep|set|сен", "okt|oct|out|ott|окт", "nov|ноя",
    "dec|dez|des|dic|déc|дек",
)  # fmt: skip
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
# What stands between day and month in words, and the signs of Chinese, Japanese and Korean dates.
_ORDINAL = "st|nd|rd|th|er|ere|eme|e|o|a"
_OF = rf"(?:[\W_]*(?:{_ORDINAL}|de|of|di|den|the|day)(?![^\W\d_])){{0,3}}[\W_]*"
_SIGNS = "|".join(fold(sign) for sign in "年月년월")
# The first day of each Japanese era, with its name and letter.
_ERAS = (
    (date(2019, 5, 1), "令和", "r"), (date(1989, 1, 8), "平成", "h"), (date(1926, 12, 25), "昭和", "s"),
    (date(1912, 7, 30), "大正", "t"), (date(1868, 1, 25), "明治", "m"),
)  # fmt: skip
# Days from the year 1 to the beginning of the Julian day count.
_JULIAN = 1721425
# Day, month and two digits of the year: no form has fewer letters and digits.
_LEAST = 4
Form = tuple[str, str]


def spell_date(value: str, *, birth: bool = False) -> Iterator[Spelling]:
    """Spell a date given as `YYYYMMDD`.

    :param birth: whether it is a date of birth, which is also searched in the rarer formats.
    """
    year, month, day = value[:4], value[4:6], value[6:8]
    for key, pattern in _solid(year, month, day):
        yield Spelling(key, pattern, True, kind="date", least=_LEAST)
    for key, pattern in (*_separated(year, month, day), *_in_words(year, month, day)):
        yield Spelling(key, pattern, False, kind="date", least=_LEAST)
    # Six digits are also times and numbers.
    short = "|".join({year[2:] + month + day, day + month + year[2:], month + day + year[2:]})
    pattern = rf"(?<!\d)(?:{short})(?!\d)"
    yield Spelling(year[2:], pattern, False, free_only=True, kind="date", weak=not birth, least=_LEAST)
    if birth:
        for key, pattern in _rare(year, month, day):
            yield Spelling(key, pattern, False, kind="date", least=_LEAST)


def _solid(year: str, month: str, day: str) -> Iterator[Form]:
    time = r"(?:(?:[01]\d|2[0-3])(?:[0-5]\d){1,2})?"
    yield year, rf"(?<!\d){year}[\W_]?{month}[\W_]?{day}{time}(?!\d)"
    yield year, rf"(?<!\d)(?:{day}{month}|{month}{day}){year}(?!\d)"


def _separated(year: str, month: str, day: str) -> Iterator[Form]:
    m, d, s = f"0?{int(month)}", f"0?{int(day)}", rf"(?:[\W_]{{1,3}}|\s?(?:{_SIGNS})\s?)"
    short = rf"(?:(?:19|20)?{year[2:]})"
    yield year, rf"(?<!\d){year}{s}{m}{s}{d}(?!\d)"
    yield year[2:], rf"(?<!\d)(?:{d}{s}{m}|{m}{s}{d}){s}{short}(?!\d)"
    yield year[2:], rf"(?<!\d){year[2:]}(?:-{month}-{day}|/{month}/{day})(?!\d)"
    yield year[2:], rf"(?<!\d){d}[./ -]{_ROMAN[int(month) - 1]}[./ -]{short}(?!\d)"


def _in_words(year: str, month: str, day: str) -> Iterator[Form]:
    d, short = f"0?{int(day)}", rf"(?:(?:19|20)?{year[2:]})"
    name = f"(?:{fold(_MONTHS[int(month) - 1])})[^\\W\\d_]*"
    yield year, rf"(?<!\d){d}{_OF}{name}{_OF}{year}(?!\d)"
    yield year[2:], rf"(?<!\d){d}{_OF}{name}[\W_]*{short}(?!\d)"
    yield year, rf"(?<!\d){year}[\W_]*{name}[\W_]*{d}(?:{_ORDINAL})?(?!\d)"
    yield year[2:], rf"(?<!\d){year[2:]}[\W_]*{name}[\W_]*{d}(?!\d)"
    yield year[2:], rf"(?<![^\W\d_]){name}[\W_]*(?:the[\W_]+)?{d}(?:{_ORDINAL})?[\W_]+{short}(?!\d)"


def _rare(year: str, month: str, day: str) -> Iterator[Form]:
    """Yield the week, the day of the year, the Julian day and the Japanese era of a date, and `YYYYDDMM`."""
    yield year, rf"(?<!\d){year}{day}{month}(?!\d)"
    try:
        born = date(int(year), int(month), int(day))
    except ValueError:
        return
    week = born.isocalendar()
    yield str(week.year), rf"(?<!\d){week.year}[\W_]?w{week.week:02}[\W_]?{week.weekday}(?!\d)"
    number = f"{born.timetuple().tm_yday:03}"
    yield number, rf"(?<!\d)(?:{year}[-./ ]?|{year[2:]}[-./]?){number}(?!\d)"
    yield str(born.toordinal() + _JULIAN), rf"(?<!\d){born.toordinal() + _JULIAN}(?!\d)"
    for first, era, letter in _ERAS:
        if born >= first:
            numbered = born.year - first.year + 1
            said = rf"{numbered}" if numbered > 1 else "(?:1|元)"
            s = rf"(?:[\W_]{{1,2}}|\s?(?:{_SIGNS})\s?)"
            m, d = f"0?{int(month)}", f"0?{int(day)}"
            yield (
                str(numbered) if numbered > 1 else "",
                rf"(?:{era}|(?<![^\W\d_]){letter}[.\s]?)\s?0?{said}{s}{m}{s}{d}(?!\d)",
            )
            return
