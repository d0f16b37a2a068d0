"""Words that are a name with a slip of the finger in it: one letter apart (Damerau and Levenshtein) from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from airlock.identity.vocabulary import ordinary, vocabulary
from airlock.verify.words import PARTICLES

_SHORTEST, _MOST_KNOWN = 6, 20_000


class Slips:
    """Knows the names that are long enough.

    :param words: of names, folded.
    :param public: words that outputs carry on purpose.
    """

    def __init__(self, words: Iterable[str], public: Collection[str]) -> None:
        self._public = frozenset(public)
        self._known: dict[str, bool] = {}
        self._by_length: dict[int, list[str]] = {}
        for word in {word for word in words if len(word) >= _SHORTEST and word.isalpha()}:
            if not (word in vocabulary() or word in ordinary() or word in PARTICLES):
                self._by_length.setdefault(len(word), []).append(word)

    def near(self, word: str) -> bool:
        """Whether a folded word is one letter apart from a name."""
        found = self._known.get(word)
        if found is None:
            found = self._near(word)
            if len(self._known) < _MOST_KNOWN:
                self._known[word] = found
        return found

    def _near(self, word: str) -> bool:
        if len(word) < _SHORTEST - 1 or word in vocabulary() or word in ordinary() or word in self._public:
            return False
        return any(_one_apart(word, name) for size in (-1, 0, 1) for name in self._by_length.get(len(word) + size, ()))


def _one_apart(one: str, other: str) -> bool:
    """Whether a letter was added, dropped or changed, or two neighbours were swapped, to make one word of another."""
    shorter = min(len(one), len(other))
    start = 0
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    # What is left where they differ.
    rest, others = one[start : len(one) - end], other[start : len(other) - end]
    return max(len(rest), len(others)) == 1 or (len(rest) == 2 and rest == others[::-1])
