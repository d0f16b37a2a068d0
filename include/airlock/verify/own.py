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
        # By shape: the values of one object, and of those that differ their numbers and where they stand.
        self._known: dict[Shape, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = {}

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
        for number, place in differing:
            raw = None if place < 0 else level.varied[place].value
            if raw is None or not _is_plain(raw):
                values[number] = first_of(level, *self._attributes[number])
            else:
                values[number] = _plain(raw)
        return tuple(values)

    def _remember(self, shape: Shape, found: tuple[str, ...]) -> None:
        places = shape.places
        differing = (
            (n, places.get(tag, -1))
            for n, (tag, _) in enumerate(self._attributes)
            if tag in places or CHARSET in places
        )
        if len(self._known) >= _MOST_SHAPES:
            self._known.clear()
        self._known[shape] = found, tuple(differing)


def first_of(level: Level, tag: int, vr: bytes = b"LO") -> str:
    """Return the first value of an attribute, empty when there is none."""
    raw = level.value(tag)
    if not raw:
        return ""
    return _plain(raw) if _is_plain(raw) else first_value(raw, vr, charset_of(level, b""))


def _is_plain(raw: bytes) -> bool:
    """Whether neither another value nor another character set begins in a value."""
    return raw.isascii() and b"\\" not in raw and b"\x1b" not in raw


def _plain(raw: bytes) -> str:
    return raw.decode("ascii").strip(" \0")
