"""The ways to write an identifying number: other separators, leading zeros more or less, digits in groups."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airlock.identity.spellings import SEPARATORS, Spelling, common, edge, ideographic, joined
from airlock.identity.vocabulary import fold

_MOST_RUNS = 12
# So many digits do not stand by chance in a longer number.
_TELLING = 7


def spell_number(value: str) -> Iterator[Spelling]:
    """Spell an identifying number, with or without its separators, prefix and leading zeros."""
    runs = re.findall(r"\d+|[^\W\d_]+", fold(value))
    text = "".join(runs)
    if text.isdigit():
        spellings = _digits(text)
    elif any(run.isdigit() for run in runs):
        spellings = _mixed(runs, text)
    else:
        telling = len(text) >= (2 if ideographic(text) else 6) and not common(runs)
        spellings = iter([joined(runs)] if telling else [])
    for spelling in spellings:
        named = spelling.of("number")
        yield named if named.weak or not named.free_only else named._replace(weak=True)


def _digits(text: str) -> Iterator[Spelling]:
    bare = text.lstrip("0")
    if len(text) >= 4:
        yield joined([text], free_only=len(text) < 6)
    if len(bare) >= 4:
        yield Spelling(bare, rf"(?<!\d)0*{bare}(?!\d)", len(bare) >= 6, free_only=len(bare) < 6)
        yield from _in_groups(bare)
    yield from _in_longer(bare)
    if len(text) == 12 and text[:2] in ("19", "20"):
        # Personal numbers that begin with the date of birth are mostly written without the century.
        yield joined([text[2:8], text[8:]])


def _mixed(runs: list[str], text: str) -> Iterator[Spelling]:
    if len(text) >= 4 and len(runs) <= _MOST_RUNS:
        yield joined(runs, free_only=len(text) < 6)
        if len(text) >= 6:
            yield from _padded(runs)
            if len(runs) == 2:
                yield joined(runs[::-1])
    longest = max((run for run in runs if run.isdigit()), key=len)
    bare = longest.lstrip("0")
    if len(bare) >= 5:
        # Five digits alone are seen by chance: not in codes.
        short = len(longest) < 6
        yield Spelling(bare, rf"(?<!\d)0*{bare}(?!\d)", not short, free_only=short, weak=True)
        for digits in {longest, bare}:
            yield from _in_groups(digits)
    yield from _in_longer(bare)


def _in_longer(bare: str) -> Iterator[Spelling]:
    """Spell a number with a check digit behind it, or a date or another number before it."""
    if len(bare) >= _TELLING:
        yield Spelling(bare, rf"\d*{bare}\d*", False, free_only=True, weak=True)


def _padded(runs: list[str]) -> Iterator[Spelling]:
    """Spell a number with letters whose digits have other leading zeros."""
    parts = [f"0*{run.lstrip('0')}" if run.isdigit() and run.strip("0") else run for run in runs]
    key = max((run.lstrip("0") if run.isdigit() else run for run in runs), key=len)
    if parts != runs and len("".join(runs)) >= 6 and key:
        body = SEPARATORS.join(parts)
        yield Spelling(key, edge(runs[0][0], "<") + body + edge(runs[-1][-1], ""), False)


def _in_groups(digits: str) -> Iterator[Spelling]:
    """Spell a number as people read it out: digits in groups; a short one in thousands."""
    if len(digits) >= 6:
        yield Spelling(digits, rf"(?<!\d)0*{'[ ,./_-]{0,2}'.join(digits)}(?!\d)", False, weak=True, gapped=True)
    elif len(digits) >= 4:
        grouped = rf"(?<!\d){digits[:-3]}[ ,.'_-]{digits[-3:]}(?!\d)"
        yield Spelling(digits, grouped, False, free_only=True, weak=True, gapped=True)
