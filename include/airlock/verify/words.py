"""Words as verification compares them, and the words and rows of words that an identifier is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import permutations

from airlock.identity.vocabulary import fold, ordinary, vocabulary
from airlock.tuples import NamedTuple

_WORDS = re.compile(r"[^\W\d_]+|\d+")
WIDEST = 8
INSIDE = 4
TITLES = frozenset(
    """
    mrs miss prof professor doctor doktor herr frau fru monsieur madame mme mlle mevr mevrouw dhr senor senora sra
    """.split()  # noqa: SIM905 - quoted words are harder to read
)
TITLES_IN_CASE = frozenset(("mr", "ms", "dr", "sr", "hr", "pat", "patient", "name"))
PARTICLES = frozenset(
    """
    van von vom der den het ter ten de del della delle dello di da dal dalla das dos do du des la las le les lo los zu
    zum zur und of bin ibn bint ben abu al el mc mac fitz san st ste saint sankt af av til dr prof med dipl ing mr mrs
    ms miss jr sr ii iii iv phd md herr frau fru
    """.split()  # noqa: SIM905 - as above
)
_STREETS = {"street": "st", "road": "rd", "avenue": "ave", "av": "ave"}


class Word(NamedTuple):
    """A word of a text.

    :param form: folded; of digits, without leading zeros.
    """

    written: str
    form: str
    digits: bool

    @classmethod
    @lru_cache(maxsize=16384)
    def of(cls, written: str) -> Word:
        """Return a word by how it is written."""
        folded = fold(written)
        digits = folded.isdigit()
        return cls(written, folded.lstrip("0") or "0" if digits else folded, digits)


def forms(text: str) -> list[str]:
    """Return the words of a text in the form in which they are compared."""
    return [Word.of(word).form for word in _WORDS.findall(fold(text))]


def windows(parts: Sequence[str], widest: int = WIDEST) -> Iterator[str]:
    """Yield every few parts in a row as one."""
    for start in range(len(parts)):
        text = ""
        for part in parts[start : start + widest]:
            text += part
            yield text


def is_common(word: str) -> bool:
    """Whether a word says nothing about a person."""
    return word in vocabulary() or word.isdigit()


def ideographic(text: str) -> bool:
    """Whether a text is written without spaces between words."""
    return any(ord(c) >= 0x2E80 for c in text)


def street(form: str) -> str:
    """Return a word as addresses shorten it."""
    return _STREETS.get(form) or re.sub(r"strasse$", "str", form)


def of_common_words(name: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a name that is made of nothing but words that say nothing, in every order."""
    parts = _parts(name)
    words = [word for part in parts for word in part]
    if len(parts) > 1 and all(map(is_common, words)) and not all(map(str.isdigit, words)):
        for row in (*permutations(parts, 2), *permutations(parts, 3)):
            joined = "".join(word for part in row for word in part)
            yield from [joined] if len(joined) >= INSIDE else []


def _telling(words: Sequence[str], least: int = 4) -> Iterator[str]:
    joined = "".join(words)
    if len(joined) >= (2 if ideographic(joined) else least) and not all(map(is_common, words)):
        yield joined


def _parts(name: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    parts: list[Sequence[str]] = [part for part in name[:3] if part]
    return [[word] for word in parts[0][:3]] if len(parts) == 1 else parts


def orders(name: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a name as several words in a row, in every order.

    :param name: words of each component.
    """
    parts = _parts(name)
    bare = [[word for word in part if word not in PARTICLES] or part for part in parts]
    first = [part[:1] for part in parts]
    rows = (*permutations(parts, 2), *permutations(parts, 3), *permutations(bare[:2], 2), *permutations(first[:2], 2))
    for row in rows:
        yield from _telling([word for part in row for word in part])
    for part in name[:3]:
        if 1 < len(part) <= WIDEST:
            yield from _telling(part, 5)


def glued(name: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a family name and initials as one word."""
    parts = _parts(name)
    if len(parts) < 2 or ideographic(parts[0][0]):
        return
    for family_part, given in (
        ((parts[0], parts[1:]), (parts[1], parts[:1])) if len(name) == 1 else ((parts[0], parts[1:]),)
    ):
        family, initials = "".join(family_part), [part[0][0] for part in given]
        for letters in (initials[0], "".join(initials)):
            for word in (letters + family, family + letters):
                if len(word) >= 5 and not is_common(family) and word not in vocabulary() and word not in ordinary():
                    yield word


def with_initials(names: Iterable[Sequence[Sequence[str]]]) -> Iterator[tuple[str, str]]:
    """Yield `(family name, initial)` of names that say nothing alone."""
    for name in names:
        parts = _parts(name)
        if len(parts) > 1 and not ideographic(parts[0][0]):
            family = "".join(parts[0])
            if len(family) >= 2 and (len(family) < INSIDE or family in vocabulary() or family in ordinary()):
                yield family, parts[1][0][0]


def addresses(phrases: Iterable[str]) -> Iterator[str]:
    """Yield addresses, whole and line by line, as one word each."""
    for phrase in phrases:
        for line in {phrase, *re.split(r"[\r\n^,;]+", phrase)}:
            words = [street(form) for form in forms(line)]
            if len(words) <= WIDEST:
                yield from _telling(words, 6 if len(words) > 1 else 10)
                # A street without the number of the house.
                letters = [word for word in words if not word[0].isdigit()]
                yield from _telling(letters, 10) if 1 < len(letters) < len(words) else ()


def numbers_with_letters(values: Iterable[str]) -> Iterator[str]:
    """Yield identifying numbers that have letters, as one word each."""
    for value in values:
        joined = "".join(forms(value))
        if len(joined) >= 6 and any(map(str.isalpha, joined)) and any(map(str.isdigit, joined)):
            yield joined


def numbers(values: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield the digits of identifying numbers, and whether chance makes them too."""
    for value in values:
        runs = re.findall(r"\d+|[^\W\d_]+", fold(value))
        digits = [run for run in runs if run.isdigit()]
        if len(digits) == len(runs):
            whole = "".join(digits)
            if len(whole.lstrip("0")) >= 4:
                yield whole.lstrip("0"), len(whole) < 6
            if len(whole) == 12 and whole[:2] in ("19", "20"):
                # Personal numbers that begin with the date of birth are mostly written without the century.
                yield whole[2:], False
        elif digits and len(longest := max(digits, key=len).lstrip("0")) >= 5:
            yield longest, True


def telephone(value: str) -> str:
    """Return the digits of a telephone number; none of a mail address."""
    return "" if "@" in value else re.sub(r"\D", "", value.replace("(0)", "")).lstrip("0")
