"""Whether what matches a spelling is the identifier: the rules for ordinary words, longer words and letters apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from airlock.identity.readings import Reading
from airlock.identity.spell_names import LONG, TITLES
from airlock.identity.spellings import RUNS, Spelling
from airlock.identity.vocabulary import fold, ordinary, vocabulary
from airlock.patterns import compiled_later

_LETTERS = compiled_later(r"[^\W\d_]+")
_TITLES = frozenset(TITLES.replace("(?:essor)?", "").replace("(?:ouw)?", "").replace("a?", "").split("|"))
_LONGEST_WORD = 64


class Names:
    """Knows the words of the names that are searched for.

    :param names: component groups of PN values.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._own = frozenset(run for name in names for run in RUNS.findall(fold(name)) if len(run) > 1)

    def counts(self, spelling: Spelling, reading: Reading, match: re.Match[str]) -> bool:
        """Whether a match of a spelling counts as the identifier."""
        if spelling.capital:
            return _capital(reading, match)
        if spelling.gapped and spelling.kind == "name":
            return not _of_known_words(match.group())
        if spelling.glued:
            return self._in_known_word(match)
        return True

    def _in_known_word(self, match: re.Match[str]) -> bool:
        """Whether the word around a match is a long name with something, or a name with words that are known."""
        text, (start, end) = match.string, match.span()
        first = start
        while first and start - first < _LONGEST_WORD and _LETTERS.match(text[first - 1]):
            first -= 1
        last = end
        while last < len(text) and last - end < _LONGEST_WORD and _LETTERS.match(text[last]):
            last += 1
        word = text[first:last]
        if word in vocabulary() or word in ordinary():
            return False
        return end - start >= LONG or (self._known(text[first:start]) and self._known(text[end:last]))

    def _known(self, rest: str) -> bool:
        """Whether letters are made of words that are known, or of none."""
        made = {0}
        for end in range(2, len(rest) + 1):
            if any(start in made and self._is_word(rest[start:end]) for start in range(max(0, end - 20), end - 1)):
                made.add(end)
        return len(rest) in made

    def _is_word(self, word: str) -> bool:
        return word in vocabulary() or word in ordinary() or word in self._own or word in _TITLES


def _capital(reading: Reading, match: re.Match[str]) -> bool:
    groups = match.re.groupindex
    start, end = match.span("name") if "name" in groups else match.span()
    if reading.written(start, end)[:1].islower():
        return False
    if "title" not in groups:
        return True
    # `Mr`, not `MR`; and what follows `MR` would have to be no ordinary word.
    title = reading.written(*match.span("title"))
    word = match["name"]
    known = word in vocabulary() or word in ordinary()
    return (title[:1].isupper() and title[1:].islower()) or (not known and len(word) > 2)


@lru_cache(maxsize=1024)
def _of_known_words(text: str) -> bool:
    """Whether letters with gaps are ordinary words that stand side by side, as in `arm and`."""
    words = _LETTERS.findall(text)
    return len(words) > 1 and all(len(word) > 1 and (word in vocabulary() or word in ordinary()) for word in words)
