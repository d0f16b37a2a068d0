"""Grow boxes along their line: the network may find one half of a line whose other half has less contrast."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from airlock.findings import Box, Found
from airlock.pixels.strokes import TALLEST, Mask

ALIKE = 0.35
"""Part of the density of strokes inside a box that its neighbourhood must have to belong to the line."""

SPARSE = 0.06
"""Part of an area that strokes fill at least where there are letters."""

STEPS = 20
"""Steps of one and a half heights to either side: words may be so far apart, lines so long."""

LINE, ROOM = 2, 1.5
"""How many times as long as high a box is at least that holds a line; and how many heights beyond what is seen of its
line such a box ends: a rib, or the edge of a sector, may hide the letter at its end."""

APART, UNLIKE = 4, 2
"""How many heights two parts of a line are apart at most, and how many times as high one is as the other."""


def grown(found: list[Found], strokes: Mask) -> list[Found]:
    """Return the boxes, each as long as strokes like its own go on to either side, along its longer side.

    :param strokes: without those of texture, which go on without end.
    """
    return [replace(f, box=_grown(f.box, strokes)) if _height(f.box) <= TALLEST else f for f in found]


def joined(found: list[Found]) -> list[Found]:
    """Return the boxes, and one more between each two of a line that are no farther apart than a word is long.

    Neither can be seen there, nor grow that far, where a line has the least contrast.
    """
    level = _between([f for f in found if _height(f.box) <= TALLEST])
    upright = _between([_transposed(f) for f in found if _height(f.box) <= TALLEST])
    return [*found, *level, *map(_transposed, upright)]


def _between(found: list[Found]) -> list[Found]:
    gaps = []
    for left, right in itertools.permutations(found, 2):
        (_, above, x0, below), (x1, top, _, bottom) = left.box, right.box
        if x0 < x1 and _in_line(left.box, right.box):
            box = x0, min(above, top), x1, max(below, bottom)
            confidence = min(left.confidence, right.confidence)
            gaps.append(replace(left, box=box, confidence=confidence, matches_identifier=False))
    return gaps


def continues(box: Box, line: Box) -> bool:
    """Whether a box is in one line with another one, or lies in the line above or below, with letters as large.

    What is more than twice as long as the other one is an edge rather than its rest.
    """
    x0, y0, x1, y1 = line
    if x1 - x0 < y1 - y0:
        box, line = _turned(box), _turned(line)
    length, high = line[2] - line[0], line[3] - line[1]
    if length < LINE * high or box[2] - box[0] > LINE * length:
        return False
    return _in_line(box, line) or _below(box, line)


def _in_line(one: Box, other: Box) -> bool:
    """Whether two boxes are parts of a level line. One of them is long; the other may be a single letter."""
    (a, above, b, below), (c, top, d, bottom) = one, other
    low, high = sorted((below - above, bottom - top))
    level = (min(below, bottom) - max(above, top)) * 2 >= low
    near = max(a, c) - min(b, d) <= APART * high
    return level and near and _alike(one, other) and max(b - a, d - c) >= LINE * high


def _below(box: Box, line: Box) -> bool:
    """Whether a box lies directly above or below a level line."""
    (a, above, b, below), (c, top, d, bottom) = box, line
    over = (min(b, d) - max(a, c)) * 2 >= min(b - a, d - c)
    near = max(above, top) - min(below, bottom) <= (bottom - top) // 2
    return over and near and _alike(box, line)


def _alike(one: Box, other: Box) -> bool:
    low, high = sorted((one[3] - one[1], other[3] - other[1]))
    return high <= UNLIKE * low


def _turned(box: Box) -> Box:
    x0, y0, x1, y1 = box
    return y0, x0, y1, x1


def _transposed(found: Found) -> Found:
    return replace(found, box=_turned(found.box))


def with_room(found: Found, rows: int, columns: int) -> Found:
    """Return a box with room for a letter or two at either end of its line, within the frame."""
    x0, y0, x1, y1 = found.box
    height = _height(found.box)
    if height > TALLEST or max(x1 - x0, y1 - y0) < LINE * height:
        return found
    room = round(ROOM * height)
    if x1 - x0 >= y1 - y0:
        return replace(found, box=(max(x0 - room, 0), y0, min(x1 + room, columns), y1))
    return replace(found, box=(x0, max(y0 - room, 0), x1, min(y1 + room, rows)))


def _height(box: Box) -> int:
    return min(box[2] - box[0], box[3] - box[1])


def _grown(box: Box, strokes: Mask) -> Box:
    x0, y0, x1, y1 = box
    if x1 - x0 >= y1 - y0:
        first, last = _along(strokes, box)
        return first, y0, last, y1
    first, last = _along(strokes.T, (y0, x0, y1, x1))
    return x0, first, x1, last


def _along(strokes: Mask, box: Box) -> tuple[int, int]:
    """Return where a line of text begins and ends."""
    x0, y0, x1, y1 = box
    needed = max(ALIKE * float(strokes[y0:y1, x0:x1].mean()), SPARSE)
    step = max((y1 - y0) * 3 // 2, 4)
    for _ in range(STEPS):
        if x0 <= 0 or strokes[y0:y1, max(x0 - step, 0) : x0].mean() < needed:
            break
        x0 = max(x0 - step, 0)
    for _ in range(STEPS):
        if x1 >= strokes.shape[1] or strokes[y0:y1, x1 : x1 + step].mean() < needed:
            break
        x1 = min(x1 + step, strokes.shape[1])
    filled = np.asarray(strokes[y0:y1].any(axis=0))
    gap = max((y1 - y0) // 3, 2)
    return x0 - _rest(filled[:x0][::-1], gap, step), x1 + _rest(filled[x1:], gap, step)


def _rest(filled: npt.NDArray[np.bool_], gap: int, most: int) -> int:
    """Return how many columns the rest of a letter reaches on, with gaps no wider than within letters."""
    reached = 0
    for column in np.flatnonzero(filled[:most]):
        if column - reached > gap:
            break
        reached = int(column) + 1
    return reached
