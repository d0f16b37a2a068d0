"""The ways in which one identifier may be written: orders of name parts, formats of dates, with any separators.

Every spelling is a regular expression over folded text (see :func:`airlock.identity.vocabulary.fold`) together with a
literal that any match contains, so that a search can skip the expression when the literal is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations

from airlock.identity.vocabulary import fold, vocabulary

_SEPARATORS = r"[\W_]*"
_RUNS = re.compile(r"[^\W_]+")
# English and its neighbours.
_MONTHS = ("jan", "feb", "mar|mrz", "apr", "mai|may|mei", "jun", "jul", "aug", "sep", "okt|oct", "nov", "dec|dez|des")


@dataclass(frozen=True)
class Spelling:
    """One way to write an identifier.

    :param strong: long enough to be searched in binary data; the others only in text.
    :param free_only: so short that it counts in free text only, not in codes and numbers.
    """

    key: str
    pattern: str
    strong: bool
    free_only: bool = False


def _ideographic(text: str) -> bool:
    return any(ord(c) >= 0x2E80 for c in text)


def _joined(runs: Iterable[str], *, free_only: bool = False) -> Spelling:
    """Match runs of letters and digits in this order, with anything or nothing between, as whole words."""
    parts = list(runs)
    text = "".join(parts)
    body = _SEPARATORS.join(map(re.escape, parts))
    before, after = _edge(parts[0][0], "<"), _edge(parts[-1][-1], "")
    return Spelling(max(parts, key=len), before + body + after, len(text) >= 5, free_only)


def _edge(character: str, direction: str) -> str:
    if _ideographic(character):
        return ""
    return f"(?{direction}!\\d)" if character.isdigit() else f"(?{direction}![^\\W\\d_])"


def _significant(word: str) -> bool:
    """Whether a word alone gives a person away: not one or two letters, not a word that everybody writes."""
    if word.isdigit():
        return len(word) >= 5
    return len(word) >= (2 if _ideographic(word) else 3) and word not in vocabulary()


def spell_name(group: str) -> Iterator[Spelling]:
    """Spell one component group of a PN value, `family^given^middle^prefix^suffix` or free text."""
    components = [_RUNS.findall(fold(part)) for part in group.split("^")[:3]]
    parts = [runs for runs in components if runs]
    if len(parts) == 1:
        parts = [[run] for run in parts[0][:3]]
    for word in {run for runs in components for run in runs}:
        if _significant(word):
            yield _joined([word])
    # Of several given names, usually only the first is written.
    shortest = [part[:1] for part in parts[:2]]
    for order in (*permutations(parts, 2), *permutations(parts, 3), *permutations(shortest, 2)):
        if order:
            runs = [run for part in order for run in part]
            if sum(map(len, runs)) >= (2 if _ideographic("".join(runs)) else 4) and not _common(runs):
                yield _joined(runs)


def _common(runs: list[str]) -> bool:
    return all(run in vocabulary() or run.isdigit() for run in runs)


def spell_number(value: str) -> Iterator[Spelling]:
    """Spell an identifying number, with or without its separators and leading zeros."""
    runs = re.findall(r"\d+|[^\W\d_]+", fold(value))
    text = "".join(runs)
    if text.isdigit():
        if len(text) >= 4:
            yield _joined(runs, free_only=len(text) < 6)
        if len(bare := text.lstrip("0")) >= 6 and bare != text:
            yield _joined([bare])
    elif any(run.isdigit() for run in runs):
        if len(text) >= 4 and len(runs) <= 12:
            yield _joined(runs, free_only=len(text) < 6)
    elif len(text) >= (2 if _ideographic(text) else 6) and not _common(runs):
        yield _joined(runs)


def spell_phone(value: str) -> Iterator[Spelling]:
    """Spell a telephone number by its digits."""
    digits = re.sub(r"\D", "", value)
    if len(digits) >= 6:
        yield Spelling(digits[0], r"(?<!\d)" + _SEPARATORS.join(digits) + r"(?!\d)", True)
    elif "@" in value:
        yield from spell_phrase(value)


def spell_phrase(value: str) -> Iterator[Spelling]:
    """Spell an address or an institution: as a whole, and line by line."""
    for line in {value, *re.split(r"[\r\n^,;]+", value)}:
        runs = _RUNS.findall(fold(line))
        text = "".join(runs)
        telling = (len(runs) >= 2 and len(text) >= 6) or len(text) >= (4 if _ideographic(text) else 10)
        if runs and telling and not _common(runs):
            yield _joined(runs[:24])


def spell_date(value: str) -> Iterator[Spelling]:
    """Spell a date given as `YYYYMMDD`, in the formats that people and devices write."""
    year, month, day = value[:4], value[4:6], value[6:8]
    m, d, s = f"0?{int(month)}", f"0?{int(day)}", r"[\W_]{1,3}"
    name = f"(?:{_MONTHS[int(month) - 1]})[^\\W\\d_]*"
    short = rf"(?:(?:19|20)?{year[2:]})"
    yield Spelling(year, rf"(?<!\d){year}[\W_]?{month}[\W_]?{day}(?!\d)", True)
    yield Spelling(year, rf"(?<!\d){year}{s}{m}{s}{d}(?!\d)", False)
    yield Spelling(year, rf"(?<!\d)(?:{day}{month}|{month}{day}){year}(?!\d)", True)
    yield Spelling(year[2:], rf"(?<!\d)(?:{d}{s}{m}|{m}{s}{d}){s}{short}(?!\d)", False)
    yield Spelling(year, rf"(?<!\d){d}(?:st|nd|rd|th)?[\W_]*{name}[\W_]*{year}(?!\d)", False)
    yield Spelling(year, rf"(?<![^\W\d_]){name}[\W_]*{d}(?:st|nd|rd|th)?[\W_]+{year}(?!\d)", False)
