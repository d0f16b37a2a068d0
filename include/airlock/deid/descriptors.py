"""Clean Descriptors (PS3.15 section E.3.5): of a description, only words that are known to say nothing stay."""

from __future__ import annotations

import re

from airlock.identity.identifiers import Identifiers
from airlock.identity.vocabulary import fold, vocabulary

_TOKENS = re.compile(r"(?P<word>[^\W_]+)|(?P<gap>[\W_]+)")
# Dates, times, telephone and other long numbers: digits with anything but letters between them.
_DIGITS = re.compile(r"\d(?:[\d\W_]*\d)?")
_DATE_LIKE = re.compile(r"\d{1,4}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d{1,4}|\d{1,2}:\d{2}")
_MEASURE = re.compile(
    r"\d{1,4}(?:mm|cm|ml|mg|sec|s|ms|t|kv|kvp|mas|mev|hz|mhz|min|x\d{1,4}|d|st|nd|rd|th)?|[bt]\d{1,4}"
)
_MOST_DIGITS = 5


class DescriptorCleaner:
    """Cuts from free text whatever is not on the shipped list of words, and every identifier of the patient."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers

    def clean(self, text: str) -> str:
        """Return the words that may stay, in their order; empty when none may."""
        kept: list[str] = []
        gap = ""
        for match in _TOKENS.finditer(_DIGITS.sub(_short_numbers, self._identifiers.cut(text))):
            if match["gap"]:
                gap = match["gap"]
            elif _may_stay(match["word"]):
                kept.append((gap if kept else "") + match["word"])
                gap = ""
            else:
                gap = " "
        return "".join(kept).strip()


def _short_numbers(match: re.Match[str]) -> str:
    text = match.group()
    digits = sum(c.isdigit() for c in text)
    return " " if digits > _MOST_DIGITS or _DATE_LIKE.search(text) else text


def _may_stay(word: str) -> bool:
    folded = fold(word)
    return folded in vocabulary() or (folded.isascii() and _MEASURE.fullmatch(folded) is not None)
