"""The shipped list of words that say nothing about a person, and how words are compared."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

# Letters that Unicode does not decompose, as they are written where a keyboard lacks them.
_PLAIN = dict(zip("øæœđðłþıħ", "o ae oe d d l th i h".split(), strict=True))  # noqa: SIM905 - letter under letter


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Return the shipped words, folded."""
    text = Path(__file__).with_name("vocabulary.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """Return a character without case and accents: `É` gives `e`, `ß` gives `ss`, a combining accent nothing."""
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    # Soft hyphens and joiners are not seen.
    kept = (c for c in decomposed if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    return "".join(_PLAIN.get(c, c) for c in kept)


def fold(text: str) -> str:
    """Return a text without case and accents."""
    if text.isascii():
        return text.lower()
    return "".join(map(fold_character, text))
