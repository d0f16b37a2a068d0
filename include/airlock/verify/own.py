"""What an object says of itself: the first values of some of its attributes."""

from __future__ import annotations

from airlock.verify.levels import Level, Shape
from airlock.verify.text import CHARSET, charset_of, first_value

_MOST_SHAPES = 16


class FirstValues:
    """Reads the first values of attributes; of objects of one shape, only of those that differ.

    :param attributes: tags, and the VRs as which they are read.
    """

    def __init__(self, *attributes: tuple[int, bytes]) -> None:
        self._attributes = attributes
        self._known: dict[Shape, tuple[tuple[str, ...], tuple[int, ...]]] = {}

    def __repr__(self) -> str:
        return "<FirstValues>"

    def __call__(self, level: Level) -> tuple[str, ...]:
        """Return the values, empty where there is none."""
        shape = level.shape
        known = self._known.get(shape) if shape is not None else None
        if known is None:
            found = tuple(first_of(level, tag, vr) for tag, vr in self._attributes)
            if shape is not None:
                self._remember(shape, found)
            return found
        found, differing = known
        if not differing:
            return found
        values = list(found)
        for number in differing:
            values[number] = first_of(level, *self._attributes[number])
        return tuple(values)

    def _remember(self, shape: Shape, found: tuple[str, ...]) -> None:
        varying = frozenset(shape.varying)
        differing = (n for n, (tag, _) in enumerate(self._attributes) if tag in varying or CHARSET in varying)
        if len(self._known) >= _MOST_SHAPES:
            self._known.clear()
        self._known[shape] = found, tuple(differing)


def first_of(level: Level, tag: int, vr: bytes = b"LO") -> str:
    """Return the first value of an attribute, empty when there is none."""
    raw = level.value(tag)
    if not raw:
        return ""
    # Neither another value nor another character set begins in it.
    if raw.isascii() and b"\\" not in raw and b"\x1b" not in raw:
        return raw.decode("ascii").strip(" \0")
    return first_value(raw, vr, charset_of(level, b""))
