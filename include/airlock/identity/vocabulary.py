"""The shipped list of words that say nothing about a person, and how words are compared."""

# ruff: noqa: RUF001 - letters of other alphabets are what this is about

from __future__ import annotations

import os
import unicodedata
from functools import lru_cache

# Letters that Unicode does not decompose, as they are written where a keyboard lacks them.
_PLAIN = dict(zip("øæœđðłþıħ", "o ae oe d d l th i h".split(), strict=True))  # noqa: SIM905 - letter under letter
# Cyrillic and Greek letters that cannot be told from Latin ones, small or capital.
_PLAIN |= dict(zip("аеорсухкмтвнiіј", "aeopcyxkmtbhiij", strict=True))
_PLAIN |= dict(zip("αβεζηικμνορτυχ", "abezhikmnoptyx", strict=True))


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Return the shipped words, folded."""
    return _words("vocabulary.txt")


@lru_cache(maxsize=1)
def ordinary() -> frozenset[str]:
    """Return ordinary words that are also names, folded: they count as names where they begin with a capital."""
    return _words("ordinary.txt") - vocabulary()


def _words(name: str) -> frozenset[str]:
    with open(f"{os.path.dirname(__file__)}/{name}", encoding="utf-8") as file:  # noqa: PTH120, PTH123 - on every start
        text = file.read()
    return frozenset(" ".join([line for line in text.splitlines() if not line.startswith("#")]).split())


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """Return a character without case and accents: `É` gives `e`, `ß` gives `ss`, a combining accent nothing.

    Letters of other alphabets that look like Latin ones become these, digits of all scripts the usual ones.
    """
    if "\uac00" <= character <= "\ud7a3":
        return character
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    # Soft hyphens and joiners are not seen.
    kept = (c for c in decomposed if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    return "".join(_PLAIN.get(c, c) for c in kept)


def fold(text: str) -> str:
    """Return a text without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(map(fold_character, text))
