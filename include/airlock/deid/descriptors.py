"""Clean Descriptors (PS3.15 section E.3.5): of a description, only words that are known to say nothing stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from airlock.identity.identifiers import Identifiers
from airlock.identity.vocabulary import fold, vocabulary

# `w/o` and its like are one word: half of it would say the opposite.
_TOKENS = re.compile(r"(?P<word>(?i:\bw(?:/wo|[/.\\-]o)\b|\bs/p\b|\bp\.\s?a\.|\ba\.\s?p\.)|[^\W_]+)|(?P<gap>[\W_]+)")
# Dates, times, telephone and other long numbers: digits with anything but letters between them.
_DIGITS = re.compile(r"\d(?:[\d\W_]*\d)?")
_DATE_LIKE = re.compile(r"\d{1,4}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d{1,4}|\d{1,2}:\d{2}")
_MEASURE = re.compile(
    r"\d{1,4}(?:mm|cm|ml|mg|sec|s|ms|t|kv|kvp|mas|mev|hz|mhz|min|x\d{1,4}|d|st|nd|rd|th|ch|dir|scan|shot|echo|view|views|f|s"
    r"|mm2|ph|phase|slab|gy|ns|cc|x|ex)?|[bt]\d{1,4}[a-z]?|[cflspvq]\d{1,2}"
)
_MOST_DIGITS = 5
# b-values of diffusion in one sequence (`b0_100_400_800`): nobody's number is told in rising fifties.
_LIST: Final = re.compile(r"\d{1,4}(?:[_,]\d{2,4})+")
_B_VALUE_STEP: Final = 50
_DATE_LIKE = re.compile(r"\d{1,4}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d{1,4}|\d{1,2}:\d{2}")
_MEASURE = re.compile(
    r"\d{1,4}(?:mm|cm|ml|mg|sec|s|ms|t|kv|kvp|mas|mev|hz|mhz|min|x\d{1,4}|d|st|nd|rd|th|ch|dir|scan|shot|echo|view|views|f|s"
    r"|mm2|ph|phase|slab|gy|ns|cc|x|ex)?|[bt]\d{1,4}[a-z]?|[cflspvq]\d{1,2}"
)
_MOST_DIGITS = 5
# b-values of diffusion, in one sequence: nobody's number is told in rising fifties.
_RISING = re.compile(r"\d{1,3}[05]?(?:_\d{1,3}0)+|\d{1,3}0?(?:[, ]\d{1,3}0)+")
# Sides and contrast: of letters that stand alone, these say something about the image. `W.O.` may be initials as well.
_LETTERS = frozenset(("l", "r", "c", "w.o", "w-o", "w\\o"))
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SHORTEST_PART: Final = 3
# Stands for what was cut; no text holds it (PS3.5 section 6.1.3).
_CUT: Final = "\x1a"


class DescriptorCleaner:
    """Cuts from free text whatever is not on the shipped list of words, and every identifier of the patient."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers

    def clean(self, text: str) -> str:
        """Return the words that may stay, in their order; empty when none may."""
        tokens = list(_TOKENS.finditer(_DIGITS.sub(_short_numbers, self._identifiers.cut(text))))
        words = [token for token in tokens if token["word"]]
        stay = [_may_stay(word["word"]) for word in words]
        for number, word in enumerate(words):
            if not stay[number] and fold(word["word"]) in _LETTERS:
                # An initial stands beside a name, which goes.
                beside = stay[max(number - 1, 0) : number] + stay[number + 1 : number + 2]
                stay[number] = bool(beside) and all(beside)
        return _joined(tokens, iter(stay))


def _joined(tokens: list[re.Match[str]], stay: Iterator[bool]) -> str:
    """Return the words that stay, with what stood between them where nothing was cut."""
    kept: list[str] = []
    gap, cut = "", False
    for token in tokens:
        if token["gap"]:
            gap, cut = token["gap"], cut or _CUT in token["gap"]
        elif next(stay):
            kept.append((" " if cut else gap) + token["word"] if kept else token["word"])
            gap, cut = "", False
        else:
            gap, cut = "", True
    closing = gap.strip()[:1] if kept and not cut and gap.strip()[:1] in (")", "]") else ""
    return "".join(kept).strip() + closing


def _short_numbers(match: re.Match[str]) -> str:
    text = match.group()
    long = sum(c.isdigit() for c in text) > _MOST_DIGITS and not _are_b_values(text)
    return _CUT if long or _DATE_LIKE.search(text) else text


def _are_b_values(text: str) -> bool:
    if not _LIST.fullmatch(text):
        return False
    values = [int(value) for value in re.split("[_,]", text)]
    return values == sorted(set(values)) and not any(value % _B_VALUE_STEP for value in values)


@lru_cache(maxsize=4096)
def _may_stay(word: str) -> bool:
    folded = fold(word)
    if folded in vocabulary() or (folded.isascii() and _MEASURE.fullmatch(folded) is not None):
        return True
    if not word.isalnum():
        return folded not in _LETTERS
    # `HeadNeckPETCT`: words that are told apart by their capitals.
    parts = _HUMPS.findall(word)
    return (
        len(parts) > 1
        and "".join(parts) == word
        and all(len(part) >= _SHORTEST_PART and fold(part) in vocabulary() for part in parts)
    )
