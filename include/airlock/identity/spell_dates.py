"""The formats in which people and devices write a date."""

# ruff: noqa: RUF001 - months of other alphabets are meant

from __future__ import annotations

from collections.abc import Iterator

from airlock.identity.spell_births import (
    SIGNS,
    birth_keys,
    birth_keys_in_one_run,
    spell_birth,
    spell_personal_number,
)
from airlock.identity.spellings import Spelling
from airlock.identity.vocabulary import fold

# English and its neighbours.
_MONTHS = (
    "jan|ene|gen|янв|ιαν|sty|tam|oca", "feb|fev|fév|фев|φεβ|lut|hel|şub", "mar|mrz|maar|мар|μαρ|maa",
    "apr|avr|abr|апр|ápr|kwi|huh|nis", "mai|may|mei|maj|mag|май|мая|μαι|μαϊ|máj|tou",
    "jun|juin|giu|июн|ιουν|jún|cze|kes|haz",
    "jul|juil|lug|июл|ιουλ|júl|lip|hei|tem", "aug|aou|ago|авг|αυγ|sie|elo|ağu", "sep|set|сен|σεπ|szept|wrz|syy|eyl",
    "okt|oct|out|ott|окт|οκτ|paź|lok|eki", "nov|ноя|νοε|lis|marras|kas", "dec|dez|des|dic|déc|дек|δεκ|gru|jou|ara",
)  # fmt: skip
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
# What stands between day and month in words, and the signs of Chinese, Japanese and Korean dates.
_ORDINAL = "st|nd|rd|th|er|ere|eme|e|o|a"
_OF = rf"(?:[\W_]*(?:{_ORDINAL}|de|of|di|den|the|day)(?![^\W\d_])){{0,3}}[\W_]*"
# Day, month and two digits of the year: no form has fewer letters and digits, but for the first years of an era.
_LEAST, _LEAST_IN_ERA = 4, 3


def date_keys(value: str, *, birth: bool = False) -> frozenset[tuple[str, str]]:
    """Return pairs of which every match of a spelling of a date has both: deriving these takes far less time."""
    return frozenset(((value[2:4], _day(value)), *(birth_keys(value) if birth else ())))


def date_keys_in_one_run(value: str, *, birth: bool = False) -> frozenset[str]:
    """Return the same for texts in which all digits stand side by side, which are far more telling.

    What people separate, or write with the name of the month, has digits on both sides of that.
    """
    year, month, day = value[:4], value[4:6], value[6:8]
    short = (year[2:] + month + day, day + month + year[2:], month + day + year[2:])
    # These are the end of all that has the whole year last, and value itself has it first.
    whole = (value[:8], day + month + year, month + day + year)
    return frozenset((*short, *whole, *(birth_keys_in_one_run(value) if birth else ())))


def fewest_in_date(*, birth: bool) -> int:
    """Return how many letters and digits a date has at least, however it is written."""
    return _LEAST_IN_ERA if birth else _LEAST


def spell_date(value: str, *, birth: bool = False) -> Iterator[Spelling]:
    """Spell a date given as `YYYYMMDD`.

    :param birth: whether it is a date of birth, which is also searched in the rarer formats.
    """
    year, month, day = value[:4], value[4:6], value[6:8]
    also = _day(value)
    yield from spell_strong_date(value)
    for key, pattern in (*_separated(year, month, day), *_in_words(year, month, day)):
        yield Spelling(key, pattern, False, kind="date", least=_LEAST, also=also)
    # Six digits are also times and numbers.
    short = "|".join({year[2:] + month + day, day + month + year[2:], month + day + year[2:]})
    pattern = rf"(?<!\d)(?:{short})(?!\d)"
    yield Spelling(year[2:], pattern, False, free_only=True, kind="date", weak=not birth, least=_LEAST, also=also)
    if birth:
        for key, also, pattern in spell_birth(value):
            yield Spelling(key, pattern, False, kind="date", least=_LEAST_IN_ERA, also=also)
        for key, also, pattern in spell_personal_number(value):
            yield Spelling(key, pattern, False, free_only=True, kind="number", weak=True, also=also)


def spell_strong_date(value: str) -> Iterator[Spelling]:
    """Spell a date in those ways that are searched in binary data, too, as :func:`spell_date` does."""
    for key, pattern in _solid(value[:4], value[4:6], value[6:8]):
        yield Spelling(key, pattern, True, kind="date", least=_LEAST, also=_day(value))


def _day(value: str) -> str:
    """Return the day as all spellings have it, with a zero before it or without."""
    return str(int(value[6:8]))


def _solid(year: str, month: str, day: str) -> Iterator[tuple[str, str]]:
    time = r"(?:(?:[01]\d|2[0-3])(?:[0-5]\d){1,2})?"
    yield year, rf"(?<!\d){year}[\W_]?{month}[\W_]?{day}{time}(?!\d)"
    yield year, rf"(?<!\d)(?:{day}{month}|{month}{day}){year}(?!\d)"


def _separated(year: str, month: str, day: str) -> Iterator[tuple[str, str]]:
    m, d, s = f"0?{int(month)}", f"0?{int(day)}", rf"(?:[\W_]{{1,3}}|\s?(?:{SIGNS})\s?)"
    short = rf"(?:(?:19|20)?{year[2:]})"
    yield year, rf"(?<!\d){year}{s}{m}{s}{d}(?!\d)"
    yield year[2:], rf"(?<!\d)(?:{d}{s}{m}|{m}{s}{d}){s}{short}(?!\d)"
    yield year[2:], rf"(?<!\d){year[2:]}(?:-{month}-{day}|/{month}/{day})(?!\d)"
    yield year[2:], rf"(?<!\d){d}[./ -]{_ROMAN[int(month) - 1]}[./ -]{short}(?!\d)"


def _in_words(year: str, month: str, day: str) -> Iterator[tuple[str, str]]:
    d, short = f"0?{int(day)}", rf"(?:(?:19|20)?{year[2:]})"
    name = f"(?:{fold(_MONTHS[int(month) - 1])})[^\\W\\d_]*"
    yield year, rf"(?<!\d){d}{_OF}{name}{_OF}{year}(?!\d)"
    yield year[2:], rf"(?<!\d){d}{_OF}{name}[\W_]*{short}(?!\d)"
    yield year, rf"(?<!\d){year}[\W_]*{name}[\W_]*{d}(?:{_ORDINAL})?(?!\d)"
    yield year[2:], rf"(?<!\d){year[2:]}[\W_]*{name}[\W_]*{d}(?!\d)"
    yield year[2:], rf"(?<![^\W\d_]){name}[\W_]*(?:the[\W_]+)?{d}(?:{_ORDINAL})?[\W_]+{short}(?!\d)"
