"""Hebrew and Arabic names in Latin letters, and the reverse: by their consonants, for short vowels are not written.

Which letters mean the same in both is coarse on purpose: `Mohammed`, `Muhamad` and `محمد` are all `mmd`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice, product

from airlock.identity.spell_names import PARTICLES
from airlock.identity.spellings import RUNS
from airlock.identity.vocabulary import fold, ordinary, vocabulary
from airlock.patterns import compiled_later

_ALONE, _FEWEST, _MOST = 3, 2, 16
_SEMITIC = compiled_later("[\u05d0-\u05ea\u0621-\u064a]")
_WORD = compiled_later(r"[^\W\d_]{2,}")
_HEBREW_LETTERS, _HEBREW_SOUNDS = (
    "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "- b g d - - s -k t - k k l m m n n s - p p s s k r s t",
)
_ARABIC_LETTERS, _ARABIC_SOUNDS = (
    "ءابةتثجحخدذرزسشصضطظعغفقكلمنهويى",
    "- - b - t t g - -k d d r s s s s d t s - g p kg k l m n - - - -",
)
_HEBREW = dict(zip(_HEBREW_LETTERS, _HEBREW_SOUNDS.split(), strict=True))
_ARABIC = dict(zip(_ARABIC_LETTERS, _ARABIC_SOUNDS.split(), strict=True))
# Longest first: two letters that are one sound.
_LATIN = {
    "sch": "s", "tsch": "s", "kh": "-k", "ch": "-k", "gh": "g", "sh": "s", "th": "t", "dh": "ds", "ph": "p", "tz": "s",
    "ts": "s", "ck": "k", "dj": "g", "b": "b", "c": "ks", "d": "d", "f": "p", "g": "g", "j": "g", "k": "k", "l": "l",
    "m": "m", "n": "n", "p": "p", "q": "kg", "r": "r", "s": "s", "t": "t", "v": "b-", "x": "k", "z": "s",
}  # fmt: skip
_SOUNDS = compiled_later("|".join(sorted(_LATIN, key=len, reverse=True)))
_DOUBLE = compiled_later(r"([a-z])\1")


class Consonants:
    """Knows how the names of a patient sound in the other alphabets.

    :param names: component groups of PN values.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names

    def __repr__(self) -> str:
        return "<Consonants>"

    @cached_property
    def _semitic(self) -> frozenset[str]:
        """What names sound like that are written in Hebrew or Arabic."""
        return self._sounds(semitic=True)

    @cached_property
    def _others(self) -> frozenset[str]:
        """What all other names sound like: few texts are written so that this needs to be known."""
        return self._sounds(semitic=False)

    def _sounds(self, *, semitic: bool) -> frozenset[str]:
        names = (name for name in self._names if not semitic or not name.isascii())
        words = {run for name in names for run in RUNS.findall(fold(name)) if run not in PARTICLES}
        return frozenset(s for word in words if is_semitic(word) is semitic for s in skeletons(word))

    def spans(self, folded: str) -> Iterator[tuple[int, int]]:
        """Yield where a folded text names the patient in another alphabet: one long word, or two side by side."""
        if not self._semitic and not is_semitic(folded):
            return
        before: tuple[int, int] | None = None
        for match in _WORD.finditer(folded):
            length = self._agrees(match.group())
            if length >= _ALONE:
                yield match.span()
            if length and before is not None and match.start() - before[1] <= _ALONE:
                yield before[0], match.end()
            before = match.span() if length else None

    def _agrees(self, word: str) -> int:
        """Return of how many consonants a word is that sounds like a name in another alphabet; 0 when it does not."""
        if word in vocabulary() or word in ordinary() or word in PARTICLES:
            return 0
        known = self._others if is_semitic(word) else self._semitic
        same = [s for s in skeletons(word) if s in known]
        return max(map(len, same), default=0)


def is_semitic(word: str) -> bool:
    """Whether any of a word is written in Hebrew or Arabic."""
    return not word.isascii() and _SEMITIC.search(word) is not None


@lru_cache(maxsize=4096)
def skeletons(word: str) -> frozenset[str]:
    """Return the consonants of a folded word, in every way they may be meant; none of words that have too few."""
    if is_semitic(word):
        # The article, which is often left out.
        ways = [_HEBREW.get(c) or _ARABIC.get(c, "-") for c in re.sub("^ال", "", word)]
    elif word.isascii():
        ways = [_LATIN[sound] for sound in _SOUNDS.findall(_DOUBLE.sub(r"\1", word))]
    else:
        return frozenset()
    made = {"".join(way).replace("-", "") for way in islice(product(*ways), _MOST)}
    return frozenset(one for one in made if len(one) >= _FEWEST)
