"""Names with one letter wrong, as people type them into comments: one too many, one missing, another one, two swapped.

Only words of six letters or more are compared, and only with words that say nothing by themselves: with shorter ones,
what is one letter apart is mostly another word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

from airlock.identity.spell_names import PARTICLES
from airlock.identity.spellings import RUNS
from airlock.identity.transliterate import variants
from airlock.identity.vocabulary import fold, ordinary, vocabulary

SHORTEST = 6
_MOST_ASKED = 20_000
_WORD = re.compile(rf"[^\W_]{{{SHORTEST - 1},}}")


class TypingErrors:
    """Knows the words that somebody may have meant.

    :param names: component groups of PN values.
    :param public: folded texts that outputs carry on purpose; their words are meant as they stand.
    """

    def __init__(self, names: Iterable[str], public: Iterable[str]) -> None:
        self._names = names
        self._asked: dict[str, bool] = {}
        self._right = frozenset(word for text in public for word in _WORD.findall(text))

    def __repr__(self) -> str:
        return "<TypingErrors>"

    @cached_property
    def _meant(self) -> dict[str, set[str]]:
        """Words of names by what is left of them when one letter is missing, or none."""
        found: dict[str, set[str]] = {}
        for name in self._names:
            for word in _telling_words(name):
                for rest in _without_one(word):
                    found.setdefault(rest, set()).add(word)
        return found

    @cached_property
    def _lengths(self) -> frozenset[int]:
        """How long a word is that is one letter apart from one of a name."""
        return frozenset(length for words in self._meant.values() for word in words for length in _near(len(word)))

    def spans(self, folded: str) -> Iterator[tuple[int, int]]:
        """Yield where in a folded text a word stands that is one letter apart from one of a name."""
        if not self._meant:
            return
        for match in _WORD.finditer(folded):
            if self._is_meant(match.group()):
                yield match.span()

    def _is_meant(self, word: str) -> bool:
        found = self._asked.get(word)
        if found is None:
            found = self._is_near(word)
            if len(self._asked) < _MOST_ASKED:
                self._asked[word] = found
        return found

    def _is_near(self, word: str) -> bool:
        if len(word) not in self._lengths or word in vocabulary() or word in ordinary() or word in self._right:
            return False
        if sum(map(str.isdigit, word)) > 1:
            return False
        meant = {name for rest in _without_one(word) for name in self._meant.get(rest, ())}
        return any(_one_apart(word, name) for name in meant)


def _near(length: int) -> range:
    return range(length - 1, length + 2)


# Of whoever is named in the files of many patients, as of the words of devices, it is derived once.
@lru_cache(maxsize=1024)
def _telling_words(name: str) -> tuple[str, ...]:
    """Return the words of a name, in all ways it may be written, that say nothing by themselves."""
    said = (vocabulary(), ordinary(), PARTICLES)
    words = {run for variant in variants(name) for run in RUNS.findall(fold(variant))}
    return tuple(w for w in words if len(w) >= SHORTEST and w.isalpha() and not any(w in known for known in said))


@lru_cache(maxsize=4096)
def _without_one(word: str) -> frozenset[str]:
    return frozenset((word, *(word[:index] + word[index + 1 :] for index in range(len(word)))))


def _one_apart(word: str, name: str) -> bool:
    """Whether two words differ by one letter, or by the order of two."""
    if word == name:
        return False
    at = next((i for i, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    rest, other = word[at:], name[at:]
    return (
        rest[1:] == other[1:]
        or rest[1:] == other
        or rest == other[1:]
        or (rest[1::-1] == other[:2] and rest[2:] == other[2:])
    )
