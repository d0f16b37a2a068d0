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

LINE = 2
"""How many times as long as high a box is at least that holds a line. Such a box ends one height beyond what is seen of
its line: a rib, or the edge of a sector, may hide the letter at its end."""

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
        (a, above, x0, below), (x1, top, b, bottom) = left.box, right.box
        heights = sorted((below - above, bottom - top))
        beside = min(below, bottom) - max(above, top)
        # One of them is a line of this direction; the other may be a single letter of it.
        if max(x0 - a, b - x1) < LINE * heights[1] or heights[1] > UNLIKE * heights[0] or beside * 2 < heights[0]:
            continue
        if 0 < x1 - x0 <= APART * heights[1]:
            box = x0, min(above, top), x1, max(below, bottom)
            confidence = min(left.confidence, right.confidence)
            gaps.append(replace(left, box=box, confidence=confidence, matches_identifier=False))
    return gaps


def _transposed(found: Found) -> Found:
    x0, y0, x1, y1 = found.box
    return replace(found, box=(y0, x0, y1, x1))


def with_room(found: Found, rows: int, columns: int) -> Found:
    """Return a box with room for a letter at either end of its line, within the frame."""
    x0, y0, x1, y1 = found.box
    height = _height(found.box)
    if height > TALLEST or max(x1 - x0, y1 - y0) < LINE * height:
        return found
    if x1 - x0 >= y1 - y0:
        return replace(found, box=(max(x0 - height, 0), y0, min(x1 + height, columns), y1))
    return replace(found, box=(x0, max(y0 - height, 0), x1, min(y1 + height, rows)))


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
