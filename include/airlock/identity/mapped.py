"""Text that was read out of another text: every character knows where in the first one it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from airlock.tuples import NamedTuple


class Mapped(NamedTuple):
    """A text, and for each of its characters the span of the original that it stands for.

    :param starts: where each character begins in the original; `ends` where it ends.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def __repr__(self) -> str:
        return "<Mapped>"

    @classmethod
    def of(cls, text: str) -> Mapped:
        """Return a text as its own original."""
        return cls(text, range(len(text)), range(1, len(text) + 1))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the original a non-empty stretch of this text comes from."""
        return self.starts[start], max(self.starts[start], self.ends[end - 1])

    def replaced(self, pattern: re.Pattern[str], made: Callable[[re.Match[str]], str | None]) -> Mapped:
        """Return the text with every match replaced; each new character stands for the whole match.

        :param made: what a match becomes; None when it stays.
        """
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for match in pattern.finditer(self.text):
            new = made(match)
            if new is None:
                continue
            self._copy(done, match.start(), parts, starts, ends)
            begin, end = self._around(*match.span())
            parts.append(new)
            starts.extend([begin] * len(new))
            ends.extend([end] * len(new))
            done = match.end()
        if not parts:
            return self
        self._copy(done, len(self.text), parts, starts, ends)
        return Mapped("".join(parts), starts, ends)

    def _copy(self, start: int, end: int, parts: list[str], starts: list[int], ends: list[int]) -> None:
        parts.append(self.text[start:end])
        starts.extend(self.starts[start:end])
        ends.extend(self.ends[start:end])

    def _around(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the original for a stretch that may be empty."""
        if start < end:
            return self.span(start, end)
        place = self.starts[start] if start < len(self.starts) else (self.ends[-1] if self.ends else 0)
        return place, place
