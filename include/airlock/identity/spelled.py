"""The spellings of single values, each derived once for all patients who share it, and ready to be searched.

Of what is said of a patient, most is said of others too: who referred them and who read the images, the institution,
the day. This holds patient data, of as many values as are kept: never log it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial

from airlock.identity.in_bytes import binary
from airlock.identity.spell_dates import spell_date
from airlock.identity.spell_names import spell_name
from airlock.identity.spell_numbers import spell_number
from airlock.identity.spellings import Spelling, spell_phone, spell_phrase
from airlock.tuples import NamedTuple

# Enough for a folder of hundreds of patients; each takes about 10 kB.
_MOST_VALUES = 1024
_SPELL: dict[str, Callable[[str], Iterable[Spelling]]] = {
    "names": spell_name,
    "numbers": spell_number,
    "phones": spell_phone,
    "phrases": spell_phrase,
    "dates": spell_date,
    "birth_dates": partial(spell_date, birth=True),
}
"""By the names of the sets of :class:`airlock.identity.evidence.Evidence`."""
_MORE_THAN_ANY = 1 << 30
Group = dict[str, list[Spelling]]
"""Spellings by their keys."""


class Spelled(NamedTuple):
    """The spellings of one value.

    :param solid: by the first two characters of what any match holds, see :class:`Keys`.
    :param gapped: the same of those that hold it without their separators.
    :param fewest: so many letters and digits has any match that chance does not make.
    :param binary: those that are searched in binary data, with what any match of them holds.
    """

    spellings: tuple[Spelling, ...]
    solid: dict[str, Group]
    gapped: dict[str, Group]
    fewest: int
    binary: list[tuple[bytes, Spelling]]

    def __repr__(self) -> str:
        return "<Spelled>"

    @classmethod
    def of(cls, spellings: Iterable[Spelling]) -> Spelled:
        """Make it of spellings, of which some may be the same."""
        each = tuple(dict.fromkeys(spellings))
        both: tuple[dict[str, Group], dict[str, Group]] = {}, {}
        fewest = _MORE_THAN_ANY
        for one in each:
            key = one.key
            groups = both[one.gapped].setdefault(key[:2] if len(key) > 1 else "", {})
            groups.setdefault(key, []).append(one)
            if (not one.weak or one.strong) and key.isascii():
                fewest = min(fewest, one.fewest)
        return cls(each, *both, fewest, binary(each))

    def without(self, public: list[tuple[str, str]], all_public: str) -> Spelled:
        """Return the same without what stands in what the output carries on purpose.

        :param public: folded texts, each also without its separators.
        :param all_public: all of them together.
        """
        doubtful = [s for s in self.spellings if s.key in all_public]
        found = {
            s
            for s in doubtful
            if any((s.key in text or s.key in compact) and s.compiled.search(text) for text, compact in public)
        }
        return Spelled.of(s for s in self.spellings if s not in found) if found else self


@lru_cache(maxsize=_MOST_VALUES)
def spelled(kind: str, value: str) -> Spelled:
    """Return the spellings of a value.

    :param kind: the set of evidence that it is in.
    """
    return Spelled.of(_SPELL[kind](value))


class Keys:
    """Finds the spellings whose keys a text holds: by their first two characters, of which a short text holds few."""

    def __init__(self, values: Iterable[dict[str, Group]]) -> None:
        self._by_start: dict[str, list[Group]] = {}
        for groups in values:
            for start, group in groups.items():
                self._by_start.setdefault(start, []).append(group)
        # Those with a shorter key may be held by any text.
        self._always = self._by_start.pop("", ())

    def __repr__(self) -> str:
        return "<Keys>"

    def held_by(self, text: str, pairs: frozenset[str]) -> Iterator[Spelling]:
        """Yield the spellings whose keys a text holds.

        :param pairs: every two characters in a row of the text.
        """
        by_start = self._by_start
        if by_start.keys().isdisjoint(pairs):
            groups = list(self._always)
        else:
            # In their own order, not in that of a set: so that every run does the same.
            groups = [group for start, each in by_start.items() if start in pairs for group in each]
            groups += self._always
        for group in groups:
            for key, spellings in group.items():
                if key in text:
                    yield from (spelling for spelling in spellings if spelling.also in text)
