"""The ways in which one identifier may be written: orders of name parts, formats of dates, with any separators.

Every spelling is a regular expression over folded text (see :func:`airlock.identity.vocabulary.fold`) together with a
literal that any match contains, so that a search can skip the expression when the literal is not there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

from airlock.identity.vocabulary import fold, vocabulary

_SEPARATORS = r"[\W_]*"
_RUNS = re.compile(r"[^\W_]+")
# English and its neighbours.
_MONTHS = (
    "jan|ene|gen|янв", "feb|fev|fév|фев", "mar|mrz|maar|мар", "apr|avr|abr|апр", "mai|may|mei|maj|mag|май|мая",
    "jun|juin|giu|июн", "jul|juil|lug|июл", "aug|aou|ago|авг", "sep|set|сен", "okt|oct|out|ott|окт", "nov|ноя",
    "dec|dez|des|dic|déc|дек",
)  # fmt: skip
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
# What stands between day and month in words, and the signs of Chinese, Japanese and Korean dates.
_OF = r"(?:[\W_]*(?:st|nd|rd|th|de|of|di|den)(?![^\W\d_])){0,2}[\W_]*"
_SIGNS = "|".join(fold(sign) for sign in "年月년월")
# What institutions are called, and departments: these words alone lead to none.
_GENERIC = frozenset(
    """
    academic and center centre central clinic clinica clinical clinics clinique de der des di du for fur general gmbh
    health healthcare hopital hospital hospitals hospitalet imaging inc institut institute klinik klinikum kliniken
    krankenhaus ltd medical medicine memorial national of ospedale private radiology regional saint st sykehus the
    und universitair universitaire universitat university cardiology oncology surgery neurology pediatrics emergency
    department dept service services ward street str road avenue ave
    """.split()  # noqa: SIM905 - seventy quoted words are harder to read
)


@dataclass(frozen=True)
class Spelling:
    """One way to write an identifier.

    :param strong: long enough to be searched in binary data; the others only in text.
    :param free_only: so short that it counts in free text only, not in codes and numbers.
    :param kind: what it is a spelling of: name, number, telephone number, address, date.
    :param weak: so short, or so loose, that it may also stand for something else: where it is found, a person decides.
    """

    key: str
    pattern: str
    strong: bool
    free_only: bool = False
    kind: str = ""
    weak: bool = False

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression, compiled when a text holds its key: few ever do."""
        return re.compile(self.pattern)

    @cached_property
    def compiled_for_bytes(self) -> re.Pattern[bytes]:
        """The same for encoded text."""
        return re.compile(self.pattern.encode())


_KANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_UMLAUTS = str.maketrans({letter: f"{plain}e" for letter, plain in zip("äöüø", "aouo", strict=True)} | {"å": "aa"})


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
    # Halfwidth kana become the usual ones.
    lowered = unicodedata.normalize("NFKC", group).lower()
    variants = {group, lowered.translate(_UMLAUTS), lowered.translate(_KANA)}
    variants |= {lowered.translate({kana: code for code, kana in _KANA.items()})}
    for variant in variants:
        for spelling in _spell_name(variant):
            yield replace(spelling, kind="name")


def _spell_name(group: str) -> Iterator[Spelling]:
    components = [_RUNS.findall(fold(part)) for part in group.split("^")[:3]]
    parts = [runs for runs in components if runs]
    unstructured = len(parts) == 1
    if unstructured:
        parts = [[run] for run in parts[0][:3]]
    for word in {run for runs in components for run in runs}:
        if _significant(word):
            yield replace(_inflected(word), weak=len(word) < 4 and not _ideographic(word))
    # `OBrien`, `vanderberg`: the words of one component, written as one.
    for runs in components:
        if 1 < len(runs) <= 6 and sum(map(len, runs)) >= 5 and not _common(runs):
            yield _joined(runs)
    # Of several given names, usually only the first is written.
    shortest = [part[:1] for part in parts[:2]]
    for order in (*permutations(parts, 2), *permutations(parts, 3), *permutations(shortest, 2)):
        if order:
            runs = [run for part in order for run in part]
            if sum(map(len, runs)) >= (2 if _ideographic("".join(runs)) else 4) and not _common(runs):
                yield _joined(runs)
    yield from _with_initials(parts)
    if unstructured:
        yield from _with_initials(parts[1::-1])


def _inflected(word: str) -> Spelling:
    """Match a word of a name, as it stands or with the ending of a genitive or of a case."""
    if len(word) < 5 or _ideographic(word):
        return _joined([word])
    ending = "[^\\W\\d_]{0,3}" if "\u0400" <= word[0] < "\u0500" else "s?"
    return Spelling(word, f"(?<![^\\W\\d_]){re.escape(word)}{ending}(?![^\\W\\d_])", True)


def _with_initials(parts: list[list[str]]) -> Iterator[Spelling]:
    """Spell a family name with initials: as one word, or with separators where the family name alone is too short."""
    if len(parts) < 2 or _ideographic(parts[0][0]):
        return
    family = "".join(parts[0])
    initials = [part[0][0] for part in parts[1:]]
    if family in vocabulary() or family.isdigit() or len(family) < 2:
        return
    for letters in {initials[0], "".join(initials)}:
        for word in (letters + family, family + letters):
            if len(word) >= 5 and word not in vocabulary():
                yield _joined([word])
    if len(family) < 3:
        first = rf"(?<![^\W\d_]){initials[0]}[\W_]+{family}(?![^\W\d_])"
        last = rf"(?<![^\W\d_]){family}[\W_]+{initials[0]}(?![^\W\d_])"
        yield from (Spelling(family, pattern, False, free_only=True, weak=True) for pattern in (first, last))


def _common(runs: list[str]) -> bool:
    return all(run in vocabulary() or run.isdigit() for run in runs)


def spell_number(value: str) -> Iterator[Spelling]:
    """Spell an identifying number, with or without its separators, prefix and leading zeros."""
    for spelling in _spell_number(value):
        yield replace(spelling, kind="number", weak=spelling.weak or spelling.free_only)


def _spell_number(value: str) -> Iterator[Spelling]:
    runs = re.findall(r"\d+|[^\W\d_]+", fold(value))
    text = "".join(runs)
    if text.isdigit():
        if len(text) >= 4:
            yield _joined(runs, free_only=len(text) < 6)
        if len(bare := text.lstrip("0")) >= 6:
            yield Spelling(bare, rf"(?<!\d)0*{bare}(?!\d)", True)
        yield from _in_groups(bare)
        if len(text) == 12 and text[:2] in ("19", "20"):
            # Personal numbers that begin with the date of birth are mostly written without the century.
            yield _joined([text[2:8], text[8:]])
    elif any(run.isdigit() for run in runs):
        if len(text) >= 4 and len(runs) <= 12:
            yield _joined(runs, free_only=len(text) < 6)
        longest = max((run for run in runs if run.isdigit()), key=len)
        bare = longest.lstrip("0")
        if len(longest) >= 6 and len(bare) >= 5:
            yield Spelling(bare, rf"(?<!\d)0*{bare}(?!\d)", True, weak=True)
            for digits in {longest, bare}:
                yield from _in_groups(digits)
    elif len(text) >= (2 if _ideographic(text) else 6) and not _common(runs):
        yield _joined(runs)


def _in_groups(digits: str) -> Iterator[Spelling]:
    """Spell a long number as people read it out: digits in groups."""
    if len(digits) >= 7:
        yield Spelling(digits[0], rf"(?<!\d){'[ ./_-]?'.join(digits)}(?!\d)", False, weak=True)


def spell_phone(value: str) -> Iterator[Spelling]:
    """Spell a telephone number by its digits, with and without its country code."""
    digits = re.sub(r"\D", "", value)
    if len(digits) >= 6:
        yield Spelling(digits[0], r"(?<!\d)" + _SEPARATORS.join(digits) + r"(?!\d)", True, kind="telephone number")
        if value.strip().startswith(("+", "00")):
            national = [digits.lstrip("0")[length:] for length in (1, 2, 3)]
            for number in (part for part in national if len(part) >= 7):
                pattern = rf"(?<!\d)0?{_SEPARATORS.join(number)}(?!\d)"
                yield Spelling(number[0], pattern, False, kind="telephone number")
    elif "@" in value:
        yield from spell_phrase(value)


def spell_phrase(value: str) -> Iterator[Spelling]:
    """Spell an address or an institution: as a whole, and line by line."""
    for line in {value, *re.split(r"[\r\n^,;]+", value)}:
        runs = _RUNS.findall(fold(line))
        text = "".join(runs)
        telling = (len(runs) >= 2 and len(text) >= 6) or len(text) >= (4 if _ideographic(text) else 10)
        if runs and telling and not _common(runs):
            yield replace(_joined(runs[:24]), kind="address")
        name = _without_generic(runs)
        if (name != runs[:24] or not telling) and len("".join(name)) >= 5 and not _common(name):
            yield replace(_joined(name, free_only=len("".join(name)) < 6), kind="address")


def _without_generic(runs: list[str]) -> list[str]:
    """Return the words that tell an institution or a place from others of its kind."""
    while runs and runs[0] in _GENERIC | vocabulary():
        runs = runs[1:]
    while runs and runs[-1] in _GENERIC | vocabulary():
        runs = runs[:-1]
    return runs[:24]


def spell_date(value: str) -> Iterator[Spelling]:
    """Spell a date given as `YYYYMMDD`, in the formats that people and devices write."""
    for key, pattern, strong in _spell_date(value[:4], value[4:6], value[6:8]):
        yield Spelling(key, pattern, strong, kind="date")


def _spell_date(year: str, month: str, day: str) -> Iterator[tuple[str, str, bool]]:
    m, d, s = f"0?{int(month)}", f"0?{int(day)}", rf"(?:[\W_]{{1,3}}|\s?(?:{_SIGNS})\s?)"
    name = f"(?:{fold(_MONTHS[int(month) - 1])})[^\\W\\d_]*"
    short = rf"(?:(?:19|20)?{year[2:]})"
    time = r"(?:(?:[01]\d|2[0-3])(?:[0-5]\d){1,2})?"
    yield year, rf"(?<!\d){year}[\W_]?{month}[\W_]?{day}{time}(?!\d)", True
    yield year, rf"(?<!\d){year}{s}{m}{s}{d}(?!\d)", False
    yield year, rf"(?<!\d)(?:{day}{month}|{month}{day}){year}(?!\d)", True
    yield year[2:], rf"(?<!\d)(?:{d}{s}{m}|{m}{s}{d}){s}{short}(?!\d)", False
    yield year[2:], rf"(?<!\d){year[2:]}(?:-{month}-{day}|/{month}/{day})(?!\d)", False
    yield year, rf"(?<!\d){d}{_OF}{name}{_OF}{year}(?!\d)", False
    yield year[2:], rf"(?<!\d){d}{_OF}{name}[\W_]*{short}(?!\d)", False
    yield year[2:], rf"(?<!\d){d}[./ -]{_ROMAN[int(month) - 1]}[./ -]{short}(?!\d)", False
    yield year, rf"(?<!\d){year}[\W_]*{name}[\W_]*{d}(?!\d)", False
    yield year, rf"(?<![^\W\d_]){name}[\W_]*{d}(?:st|nd|rd|th)?[\W_]+{year}(?!\d)", False
