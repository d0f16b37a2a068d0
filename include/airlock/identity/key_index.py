"""Finds the spellings whose keys a text holds, without asking for each of them."""

from __future__ import annotations

from collections.abc import Iterator

from airlock.identity.spellings import Spelling


class Keys:
    """Spellings by the first two characters of their keys: a short text holds few of these."""

    def __init__(self) -> None:
        self._by_start: dict[str, dict[str, list[Spelling]]] = {}

    def __repr__(self) -> str:
        return "<Keys>"

    def add(self, spelling: Spelling) -> None:
        """Add a spelling; one with a shorter key may be held by any text."""
        key = spelling.key
        start = key[:2] if len(key) > 1 else ""
        self._by_start.setdefault(start, {}).setdefault(key, []).append(spelling)

    def held_by(self, text: str) -> Iterator[Spelling]:
        """Yield the spellings whose keys a text holds."""
        by_start = self._by_start
        starts = {text[at : at + 2] for at in range(len(text) - 1)}
        starts.add("")
        # In their own order, not in that of a set: so that every run does the same.
        for start in by_start.keys() & starts if len(starts) < len(by_start) else by_start:
            if start in starts:
                for key, spellings in by_start[start].items():
                    if key in text:
                        yield from spellings
