"""Where a comparison is, and what it remembers of earlier objects."""

from __future__ import annotations

from airlock.tuples import NamedTuple
from airlock.verify.found import NOTHING, Found
from airlock.verify.levels import Element, Level, Shape

Charsets = tuple[bytes, bytes]
"""Encoded SpecificCharacterSet of an output's level, and of the input's."""
Latest = tuple[Element | None, Element | None, Found]
NEVER: Latest = (None, None, NOTHING)
_MOST_SETTLED = 8
_GRAPHICS = (0x50, 0x60)


class Place(NamedTuple):
    """A level of the output, the level of the input that it came from if that is known, and where it stands.

    :param quiet: tags of attributes in which nothing is wrong; None where also nothing is known of what is missing.
    """

    path: tuple[int, ...]
    output: Level
    source: Level | None
    charsets: Charsets
    quiet: frozenset[int] | None = None


class Settled(NamedTuple):
    """What was found in all objects of one shape whose inputs are of one shape, and what must be looked at in each.

    :param found: in the elements that are the same in all of them.
    :param output: tags of the output whose elements must be judged, and
    :param gone: tags that only the input has, and
    :param valid: tags whose type must be checked; None when of all.
    """

    found: Found
    output: tuple[int, ...]
    gone: tuple[int, ...]
    valid: frozenset[int] | None


class Remembered:
    """What was found in one kind of objects.

    :ivar by_value: by tag and values.
    :ivar items: by place, items of the output and items of the input, with these.
    :ivar latest: of the latest object, by tag: its element, that of its input, and what was found. What stands in the
        next object as the same element of the same input needs no key.
    :ivar settled: by the shapes of the output and of the input.
    """

    def __init__(self) -> None:
        self.by_value: dict[tuple[object, ...], Found] = {}
        self.items: dict[tuple[object, ...], tuple[Found, object, object]] = {}
        self.latest: dict[int, Latest] = {}
        self.settled: dict[tuple[Shape, Shape], Settled] = {}

    def settle(self, shapes: tuple[Shape, Shape], settled: Settled) -> None:
        """Remember what is the same in all objects of two shapes."""
        if len(self.settled) >= _MOST_SETTLED:
            self.settled.clear()
        self.settled[shapes] = settled


def must_be_judged(output: Level, source: Level) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what may differ between objects of two shapes: tags of the output, and tags that only the input has.

    What a private element or a graphic one may be, other elements of its group say: when any of these may differ, all
    of the group are judged.
    """
    assert output.shape is not None and source.shape is not None  # noqa: PT018 - both or neither is asked for
    varying = {*output.shape.varying, *source.shape.varying}
    groups = {tag >> 16 for tag in varying}
    both = tuple(tag for tag in output.elements if tag in varying or (depends(tag) and tag >> 16 in groups))
    return both, tuple(tag for tag in varying if tag in source.elements and tag not in output.elements)


def depends(tag: int) -> bool:
    """Whether it depends on other elements of its group what an element may be: private ones, curves, overlays."""
    return tag & 0x10000 != 0 or tag >> 24 in _GRAPHICS
