"""Names with one letter wrong, as people type them into comments: one too many, one missing, another one, two swapped.

Only words of six letters or more are compared, and only with words that say nothing by themselves: with shorter ones,
what is one letter apart is mostly another word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

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
        said = (vocabulary(), ordinary(), PARTICLES)
        for word in {run for name in self._names for variant in variants(name) for run in RUNS.findall(fold(variant))}:
            if len(word) >= SHORTEST and word.isalpha() and not any(word in words for words in said):
                for rest in _without_one(word):
                    found.setdefault(rest, set()).add(word)
        return found

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
        if word in vocabulary() or word in ordinary() or word in self._right or sum(map(str.isdigit, word)) > 1:
            return False
        meant = {name for rest in _without_one(word) for name in self._meant.get(rest, ())}
        return any(_one_apart(word, name) for name in meant)


def _without_one(word: str) -> set[str]:
    return {word} | {word[:index] + word[index + 1 :] for index in range(len(word))}


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
