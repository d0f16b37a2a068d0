"""Search a text for identifiers by taking it apart into words, numbers and dates, and comparing these.

De-identification finds identifiers by what they may look like; here every word, and every few words in a row, is looked
up among what the inputs say. What one way overlooks, the other does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from airlock.identity.consonants import Consonants
from airlock.identity.evidence import Evidence
from airlock.identity.identifiers import Match
from airlock.identity.vocabulary import fold
from airlock.verify.days import Days
from airlock.verify.lexicon import Lexicon
from airlock.verify.taken import Taken, take_apart, words_of


class Spelled:
    """What is known of a patient, and where it is mentioned.

    :param evidence: what the inputs say.
    :param public: texts that outputs carry on purpose; what stands in them is not searched for.
    :param keep_dates: whether only dates of birth count.
    """

    def __init__(self, evidence: Evidence, public: Iterable[str], *, keep_dates: bool) -> None:
        self._evidence, self._public, self._keep_dates = evidence, tuple(public), keep_dates

    def __repr__(self) -> str:
        return "<Spelled>"

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self._evidence, [words_of(fold(text)) for text in self._public if text])

    @cached_property
    def _days(self) -> Days:
        said = self._evidence
        births = said.birth_dates - said.events if self._keep_dates else said.birth_dates
        return Days(births | (set() if self._keep_dates else said.dates), births)

    @cached_property
    def _consonants(self) -> Consonants:
        return Consonants(self._evidence.names)

    def matches(self, text: str, *, free: bool) -> frozenset[Match]:
        """Return the kinds of identifiers that a text mentions, and whether a person should judge it.

        :param free: whether it is free text, where short numbers count.
        """
        apart = take_apart(text)
        found = {match for taken in apart.readings for match in self._matches(taken, free=free)}
        if apart.lost:
            found |= set(self._lexicon.words(apart.lost))
        return frozenset(found)

    def _matches(self, taken: Taken, *, free: bool) -> Iterator[Match]:
        lexicon, folded = self._lexicon, taken.folded
        yield from lexicon.words(taken.words)
        yield from lexicon.spelled_out(taken.words)
        if taken.parts:
            yield from lexicon.words(taken.parts)
        for family, initial, capital in taken.initials:
            yield from lexicon.initials(family, initial, capital=capital)
        if free:
            if any(self._consonants.spans(folded)):
                yield "name", True
            yield from lexicon.slips(taken.near)
        for runs in taken.numbers:
            yield from lexicon.numbers(runs, free=free)
        for runs in taken.phones:
            yield from lexicon.telephone(runs)
        for weak in self._days.mentioned(folded, free=free):
            yield "date", weak
