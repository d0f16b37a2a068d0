"""Search a text for identifiers by taking it apart into words, numbers and dates, and comparing these.

De-identification finds identifiers by what they may look like; here every word, and every few words in a row, is looked
up among what the inputs say. What one way overlooks, the other does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from airlock.identity.consonants import Consonants
from airlock.identity.harvest import Evidence
from airlock.identity.identifiers import Match
from airlock.identity.transliterate import LOST
from airlock.identity.vocabulary import fold
from airlock.verify.days import Days
from airlock.verify.lexicon import Lexicon
from airlock.verify.plain import plain_texts
from airlock.verify.words import Word

_WORDS = re.compile(r"[^\W\d_]+|\d+")
# With a digit in the place of a letter, at most.
_MAYBE_SLIPS = re.compile(r"(?<![^\W_])(?:[^\W\d_]+\d?[^\W\d_]*)(?![^\W_])")
_HUMPS = re.compile(r"[A-ZÀ-Þ]+(?![a-zß-ÿ])|[A-ZÀ-Þ]?[a-zß-ÿ]+|[^\W\d_A-Za-zÀ-ÿ]+")
_NUMBER = re.compile(r"\d(?:[ ,./_'-]{0,2}\d)+")
_PHONE = re.compile(r"\d(?:[\W_]{0,4}\d){5,}")
_BEFORE = re.compile(r"(?<![^\W\d_])(?=([^\W\d_])\.\s{0,2}(?:[^\W\d_]\.\s{0,2})?([^\W\d_]{2,}))")
_BEHIND = re.compile(r"(?<![^\W\d_])([^\W\d_]{2,})(?:[,^]\s{0,2}([^\W\d_])(?![^\W\d_])|\s([^\W\d_])\.)")
_LOST = re.compile("(?<=[^\\W\\d_])[?\ufffd*\xbf]{1,4}(?=[^\\W\\d_])")


class Spelled:
    """What is known of a patient, and where it is mentioned.

    :param evidence: what the inputs say.
    :param public: texts that outputs carry on purpose; what stands in them is not searched for.
    :param keep_dates: whether only dates of birth count.
    """

    def __init__(self, evidence: Evidence, public: Iterable[str], *, keep_dates: bool) -> None:
        births = evidence.birth_dates - evidence.events if keep_dates else evidence.birth_dates
        self._evidence = evidence
        self._days = Days(births | (set() if keep_dates else evidence.dates), births)
        self._public = [_WORDS.findall(fold(text)) for text in public if text]

    def __repr__(self) -> str:
        return "<Spelled>"

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self._evidence, self._public)

    @cached_property
    def _consonants(self) -> Consonants:
        return Consonants(self._evidence.names)

    def matches(self, text: str, *, free: bool) -> frozenset[Match]:
        """Return the kinds of identifiers that a text mentions, and whether a person should judge it.

        :param free: whether it is free text, where short numbers count.
        """
        found = {match for plain in plain_texts(text) for match in self._matches(plain, free=free)}
        if (restored := _LOST.sub(LOST, text)) != text:
            found |= set(self._lexicon.words([Word.of(word) for word in _WORDS.findall(restored)]))
        return frozenset(found)

    def _matches(self, text: str, *, free: bool) -> Iterator[Match]:
        words = [Word.of(word) for word in _WORDS.findall(text)]
        yield from self._lexicon.words(words)
        yield from self._lexicon.spelled_out(words)
        yield from self._parts(words)
        for match in _BEFORE.finditer(text):
            yield from self._lexicon.initials(fold(match[2]), fold(match[1]), capital=not match[2][0].islower())
        for match in _BEHIND.finditer(text):
            initial = fold(match[2] or match[3])
            yield from self._lexicon.initials(fold(match[1]), initial, capital=not match[1][0].islower())
        folded = fold(text)
        if free:
            if any(self._consonants.spans(folded)):
                yield "name", True
            yield from self._lexicon.slips({fold(each) for each in _MAYBE_SLIPS.findall(text)})
        yield from self._numbers(folded, free=free)
        for weak in self._days.mentioned(folded, free=free):
            yield "date", weak

    def _parts(self, words: list[Word]) -> Iterator[Match]:
        """Yield what is said by words of which some are written as one, such as `ErikaMustermann`."""
        parts = [
            part for word in words for part in (_HUMPS.findall(word.written) if _is_mixed(word) else [word.written])
        ]
        if len(parts) > len(words):
            yield from self._lexicon.words([Word.of(part) for part in parts])

    def _numbers(self, folded: str, *, free: bool) -> Iterator[Match]:
        for match in _NUMBER.finditer(folded):
            yield from self._lexicon.numbers(re.findall(r"\d+", match.group()), free=free)
        for match in _PHONE.finditer(folded):
            yield from self._lexicon.telephone(re.findall(r"\d+", match.group()))


def _is_mixed(word: Word) -> bool:
    """Whether a word may be several."""
    written = word.written
    return not (word.digits or (written.isascii() and (written.islower() or written.isupper() or written.istitle())))
