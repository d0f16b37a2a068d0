"""Patches: what the detection network looks at, and where it lies in the frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from airlock.findings import Box
from airlock.pixels.areas import MARGIN, areas
from airlock.pixels.network import STEP
from airlock.pixels.strokes import TALLEST, Mask, Planes, TextLike, strokes_of, text_like
from airlock.pixels.views import Picture, evened_view, is_flat, range_view

ENLARGED = 2.0
"""Letters of 8 pixels are only found when the picture is enlarged so much."""

FINE, FEW, LONG = 4.0, 96, 2
"""What small long areas that hold no line yet are enlarged for another look, which shows faint letters of 8 to 11
pixels; pixels of an area's shorter side up to which it is small; and how many times as long as high are the strokes in
it. Others are texture mostly, and would take long."""

TILE, OVERLAP = 448, 64
"""Pixels of the frame; larger areas are cut, or the network would need gigabytes."""


FRAME, GREY = 24, (127, 127, 127)
"""Pixels, and the middle of the evened view, laid around parts where their margin is cut off: the network overlooks
lines at its edge."""

WHOLE, LARGEST = 640, 0.625
"""Pixels of the longer side to which a frame is reduced to find large letters, and what it is reduced to at least."""

DOUBLED, LARGE_LETTER = 16, 32
"""Pixels of letters in the reduced frame from which it shows them surely, and of those in the frame that are large."""

VAST, BETWEEN = 2000, (0.5, 0.25)
"""Frames with a longer side are looked at in sizes between the two as well, as far as the whole is reduced more: their
letters are larger than strokes are looked for in the enlarged parts, and smaller than the reduced frame shows."""


@dataclass(frozen=True)
class Patch:
    """A part of a view, scaled for the network.

    :param x: column of the frame where it begins; `y` is its row.
    :param scale: pixels of the patch per pixel of the frame.
    :param turned: whether it is turned by a quarter, counter-clockwise.
    :param tallest: height of letters in pixels of the patch; larger ones are hollowed out, and looked for elsewhere.
    :param doubled: height of letters in pixels of the patch, from which the whole frame, reduced, shows them too.
    :param closer: whether it is enlarged so much that noise looks like single letters.
    """

    picture: Picture
    x: int
    y: int
    scale: float
    turned: bool = False
    tallest: float = math.inf
    doubled: float = math.inf
    closer: bool = False

    def place(self, box: Box, columns: int, rows: int) -> Box:
        """Return a box of the patch in coordinates of the frame, rounded outwards."""
        left, top, right, bottom = box
        if self.turned:
            width = self.picture.shape[0]
            left, top, right, bottom = width - bottom, left, width - top, right
        x0, y0 = int(self.x + left / self.scale), int(self.y + top / self.scale)
        x1 = int(np.ceil(self.x + right / self.scale))
        y1 = int(np.ceil(self.y + bottom / self.scale))
        return max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)


def whole(values: Planes) -> Iterator[Patch]:
    """Yield all of a frame, reduced: there large letters are found."""
    scale = _whole_scale(values)
    view = range_view(resized(values, scale))
    if not is_flat(view):
        yield Patch(view, 0, 0, scale)


def _whole_scale(values: Planes) -> float:
    return float(min(WHOLE / max(values.shape[:2]), LARGEST))


class Details:
    """The parts of a frame that may hold small text, enlarged.

    :param values: the frame.
    """

    def __init__(self, values: Planes) -> None:
        self._values = values

    def patches(self, dense: Mask, within: Mask | None = None, *, turned: bool = False) -> Iterator[Patch]:
        """Yield what the network looks at.

        :param dense: where strokes are as dense as in text.
        :param within: what is looked at in any size; None is all of the frame.
        :param turned: turn each patch by a quarter; the network sees upright lines badly.
        """
        doubled = max(DOUBLED / _whole_scale(self._values), LARGE_LETTER)
        wanted = dense if within is None else dense & within
        if found := areas(wanted):
            yield from _tiles(self._evened, _cut(found, wanted), ENLARGED, turned=turned, doubled=doubled)
        for view, like, scale in self._between:
            size = like.level.shape[1], like.level.shape[0]
            mask = like.upright if turned else like.level
            if within is not None:
                mask = mask & (cv2.resize(within.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)
            yield from _tiles(view, _cut(areas(mask), mask), 1.0, scale, turned=turned, doubled=doubled)

    def fine(self, dense: Mask, *, turned: bool = False) -> Iterator[Patch]:
        """Yield small parts that may hold a line, enlarged more.

        :param dense: where strokes are as dense as in text, and no line was found.
        :param turned: look for lines that run up or down.
        """
        small = [
            (x0, y0, x1, y1)
            for x0, y0, x1, y1 in areas(dense)
            if min(x1 - x0, y1 - y0) <= FEW and _is_long(dense[y0:y1, x0:x1].T if turned else dense[y0:y1, x0:x1])
        ]
        for patch in _tiles(self._evened, _cut(small, dense), FINE, turned=turned):
            yield replace(patch, closer=True)

    @cached_property
    def _evened(self) -> Picture:
        return evened_view(self._values)

    @cached_property
    def _between(self) -> list[tuple[Picture, TextLike, float]]:
        """The evened view of a vast frame in each size between, and where text may be in it."""
        if max(self._values.shape[:2]) <= VAST:
            return []
        found = []
        for scale in BETWEEN:
            if scale > _whole_scale(self._values):
                reduced = resized(self._values, scale)
                found.append((evened_view(reduced), text_like(strokes_of(reduced)), scale))
        return found


def _is_long(dense: Mask) -> bool:
    return int(np.ptp(np.flatnonzero(dense.any(axis=0)))) >= LONG * int(np.ptp(np.flatnonzero(dense.any(axis=1))))


@dataclass(frozen=True)
class Part:
    """A part of a frame.

    :param short: whether its margin is cut off: left, above, right, below.
    """

    box: Box
    short: tuple[bool, bool, bool, bool]


def _cut(found: list[Box], dense: Mask) -> Iterator[Part]:
    """Cut areas into tiles that overlap, each no larger than what may be text in it needs."""
    for x0, y0, x1, y1 in found:
        for y in range(y0, max(y1 - OVERLAP, y0 + 1), TILE - OVERLAP):
            for x in range(x0, max(x1 - OVERLAP, x0 + 1), TILE - OVERLAP):
                tile = x, y, min(x + TILE, x1), min(y + TILE, y1)
                part = dense[tile[1] : tile[3], x : tile[2]]
                columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
                if rows.size:
                    yield _with_margin((x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1), tile)


def _with_margin(box: Box, tile: Box) -> Part:
    left, top, right, bottom = (int(side) for side in box)
    wanted = left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN
    cut = max(wanted[0], tile[0]), max(wanted[1], tile[1]), min(wanted[2], tile[2]), min(wanted[3], tile[3])
    short = wanted[0] < cut[0], wanted[1] < cut[1], wanted[2] > cut[2], wanted[3] > cut[3]
    return Part(cut, short)


def _tiles(
    view: Picture,
    cut: Iterable[Part],
    enlarge: float,
    reduced: float = 1.0,
    *,
    turned: bool = False,
    doubled: float = math.inf,
) -> Iterator[Patch]:
    for part in cut:
        x0, y0, x1, y1 = part.box
        tile = np.ascontiguousarray(view[y0:y1, x0:x1])
        if tile.size and not is_flat(tile):
            left, top, right, below = _frame(part, round(STEP / enlarge))
            tile = np.asarray(cv2.copyMakeBorder(tile, top, below, left, right, cv2.BORDER_CONSTANT, value=GREY))
            picture = _enlarged(np.rot90(tile) if turned else tile, enlarge)
            corner, scale = (round((x0 - left) / reduced), round((y0 - top) / reduced)), enlarge * reduced
            yield Patch(picture, *corner, scale, turned, TALLEST * enlarge, doubled * scale)


def _frame(part: Part, step: int) -> tuple[int, int, int, int]:
    """Return how much is laid around a part: where its margin is cut off, and what fills it up to whole steps."""
    x0, y0, x1, y1 = part.box
    left, top, right, below = (FRAME * short for short in part.short)
    wide, high = -(x1 - x0 + left + right) % step, -(y1 - y0 + top + below) % step
    return left + wide // 2, top + high // 2, right + wide - wide // 2, below + high - high // 2


def _enlarged(tile: Picture, scale: float) -> Picture:
    if scale == 1.0:
        return np.ascontiguousarray(tile)
    large = cv2.resize(np.ascontiguousarray(tile), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    return large.astype(np.uint8, copy=False)


def resized(values: Planes, scale: float) -> Planes:
    """Return a frame reduced."""
    if scale >= 1.0:
        return values
    size = (max(round(values.shape[1] * scale), 1), max(round(values.shape[0] * scale), 1))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32).reshape(size[1], size[0], -1)
