"""Names in every way they may be written, taken apart once for all patients who share them.

This holds patient data, of as many names as are kept: never log it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from airlock.identity.transliterate import variants
from airlock.tuples import NamedTuple
from airlock.verify.words import forms, glued, of_common_words, orders, with_initials


class Named(NamedTuple):
    """A name in every way it may be written, taken apart: most names stand in the files of many patients.

    :param words: all of them, and `own` those that count: what stands where prefix and suffix belong counts when it
        cannot be one.
    :param together: several words in a row, and `common` those that are made of nothing but words that say nothing.
    :param begins: what any of these, or of its own words, begins with.
    """

    words: frozenset[str]
    own: frozenset[str]
    together: frozenset[str]
    common: frozenset[str]
    glued: frozenset[str]
    initials: frozenset[tuple[str, str]]
    begins: frozenset[str]

    def __repr__(self) -> str:
        return "<Named>"


@lru_cache(maxsize=1024)
def named(group: str) -> Named:
    """Return what a name says, by a component group of it."""
    names = [[forms(part) for part in name.split("^")] for name in variants(group)]
    own = {word for name in names for part in name[:3] for word in part}
    own |= {word for name in names for part in name[3:5] for word in part if len(word) >= 5}
    together = frozenset(one for name in names for one in orders(name))
    common = frozenset(one for name in names for one in of_common_words(name))
    return Named(
        frozenset(word for name in names for part in name for word in part),
        frozenset(own),
        together,
        common,
        frozenset(one for name in names for one in glued(name)),
        frozenset(with_initials(names)),
        beginnings((*together, *common, *own)),
    )


def beginnings(rows: Iterable[str]) -> frozenset[str]:
    """Return everything that some words in a row begin with."""
    return frozenset(row[:end] for row in rows for end in range(1, len(row) + 1))
