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
        near = (name for size in (-1, 0, 1) for name in self._by_length.get(len(word) + size, ()))
        return any(_distance(word, name) == 1 for name in near)


def _distance(one: str, other: str) -> int:
    """Return how many letters must be added, dropped, changed or swapped with their neighbour; 2 for two and more."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, known in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != known))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == known:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > 1:
            return 2
    return min(row[-1], 2)
