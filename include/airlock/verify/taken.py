"""A text taken apart, as it is searched, whoever it is about: most texts stand in the files of many patients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from airlock.identity.transliterate import LOST
from airlock.identity.vocabulary import fold
from airlock.patterns import compiled_later
from airlock.verify.plain import plain_texts
from airlock.verify.words import Word

_WORDS = compiled_later(r"[^\W\d_]+|\d+")
# With a digit in the place of a letter, at most.
_MAYBE_SLIPS = compiled_later(r"(?<![^\W_])(?:[^\W\d_]+\d?[^\W\d_]*)(?![^\W_])")
_HUMPS = compiled_later(r"[A-ZÀ-Þ]+(?![a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[^\W\d_A-Za-zÀ-ÿ]+")
_NUMBER = compiled_later(r"\d(?:[ ,./_'-]{0,2}\d)+")
_PHONE = compiled_later(r"\d(?:[\W_]{0,4}\d){5,}")
_BEFORE = compiled_later(r"(?<![^\W\d_])(?=([^\W\d_])\.\s{0,2}(?:[^\W\d_]\.\s{0,2})?([^\W\d_]{2,}))")
_BEHIND = compiled_later(r"(?<![^\W\d_])([^\W\d_]{2,})(?:[,^]\s{0,2}([^\W\d_])(?![^\W\d_])|\s([^\W\d_])\.)")
_LOST = compiled_later("(?<=[^\\W\\d_])[?\ufffd*\xbf]{1,4}(?=[^\\W\\d_])")
_LONGEST_REMEMBERED = 128


class Taken:
    """One way to read a text.

    :ivar words: its words and numbers, in order.
    :ivar parts: the same where words that are several, such as `ErikaMustermann`, are these; empty when none is.
    :ivar initials: words that stand beside an initial, folded, with it, and whether they begin with a capital.
    :ivar near: words that may have a slip of the finger in them, folded.
    :ivar numbers: runs of digits that may be one number, and `phones` those that may be a telephone number.
    """

    __slots__ = ("folded", "initials", "near", "numbers", "parts", "phones", "words")

    def __init__(self, text: str) -> None:
        self.words = [Word.of(word) for word in _WORDS.findall(text)]
        parts = [part for word in self.words for part in _parts(word)]
        self.parts = [Word.of(part) for part in parts] if len(parts) > len(self.words) else []
        self.initials = [*_initials(text)]
        self.folded = fold(text)
        self.near = frozenset(map(fold, _MAYBE_SLIPS.findall(text)))
        self.numbers = [re.findall(r"\d+", match.group()) for match in _NUMBER.finditer(self.folded)]
        self.phones = [re.findall(r"\d+", match.group()) for match in _PHONE.finditer(self.folded)]


def _parts(word: Word) -> list[str]:
    """Return the words that one is made of, as far as capitals tell."""
    written = word.written
    if word.digits or (written.isascii() and (written.islower() or written.isupper() or written.istitle())):
        return [written]
    return _HUMPS.findall(written)


def _initials(text: str) -> Iterator[tuple[str, str, bool]]:
    for match in _BEFORE.finditer(text):
        yield fold(match[2]), fold(match[1]), not match[2][0].islower()
    for match in _BEHIND.finditer(text):
        yield fold(match[1]), fold(match[2] or match[3]), not match[1][0].islower()


class TakenApart:
    """A text in every way to read it.

    :ivar lost: its words where letters were lost, with a sign in their place; empty when none was.
    """

    __slots__ = ("lost", "readings")

    def __init__(self, text: str) -> None:
        self.readings = [Taken(plain) for plain in plain_texts(text)]
        restored = _LOST.sub(LOST, text)
        self.lost = [Word.of(word) for word in _WORDS.findall(restored)] if restored != text else []


def take_apart(text: str) -> TakenApart:
    """Return what a text consists of."""
    return _remembered(text) if len(text) <= _LONGEST_REMEMBERED else TakenApart(text)


@lru_cache(maxsize=2048)
def _remembered(text: str) -> TakenApart:
    return TakenApart(text)


def words_of(folded: str) -> list[str]:
    """Return the words and numbers of a folded text."""
    return _WORDS.findall(folded)
