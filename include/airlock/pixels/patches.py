"""Patches: what the detection network looks at, and where it lies in the frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from airlock.findings import Box
from airlock.pixels.strokes import MARGIN, TALLEST, Mask, Planes, areas
from airlock.pixels.views import Picture, evened_view, is_flat, range_view

ENLARGED = 2.0
"""Letters of 8 pixels are only found when the picture is enlarged so much."""

TILE, OVERLAP = 448, 64
"""Pixels of the frame; larger areas are cut, or the network would need gigabytes."""


FRAME, GREY = 8, (127, 127, 127)
"""Pixels, and the middle of the evened view, laid around each part: the network overlooks lines at its edge."""

WHOLE, LARGEST = 640, 0.625
"""Pixels of the longer side to which a frame is reduced to find large letters, and what it is reduced to at least."""

VAST, HALVED = 2000, 0.5
"""Frames with a longer side are looked at in a size between the two as well."""


@dataclass(frozen=True)
class Patch:
    """A part of a view, scaled for the network.

    :param x: column of the frame where it begins; `y` is its row.
    :param scale: pixels of the patch per pixel of the frame.
    :param turned: whether it is turned by a quarter, counter-clockwise.
    :param tallest: height of letters in pixels of the patch; larger ones are hollowed out, and looked for elsewhere.
    """

    picture: Picture
    x: int
    y: int
    scale: float
    turned: bool = False
    tallest: float = math.inf

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
    scale = min(WHOLE / max(values.shape[:2]), LARGEST)
    view = range_view(resized(values, scale))
    if not is_flat(view):
        yield Patch(view, 0, 0, scale)


class Details:
    """The parts of a frame that may hold small text, enlarged.

    :param values: the frame.
    """

    def __init__(self, values: Planes) -> None:
        self._values = values

    def patches(self, dense: Mask, *, turned: bool = False) -> Iterator[Patch]:
        """Yield what the network looks at.

        :param dense: where strokes are as dense as in text.
        :param turned: turn each patch by a quarter; the network sees upright lines badly.
        """
        found = areas(dense)
        if not found:
            return
        yield from _tiles(self._evened, _cut(found, dense), ENLARGED, turned=turned)
        if max(self._values.shape[:2]) > VAST:
            halves = (_scaled(box, HALVED) for box in _cut(found, dense))
            yield from _tiles(evened_view(resized(self._values, HALVED)), halves, 1.0, HALVED, turned=turned)

    @cached_property
    def _evened(self) -> Picture:
        return evened_view(self._values)


def _cut(found: list[Box], dense: Mask) -> Iterator[Box]:
    """Cut areas into tiles that overlap, each no larger than what may be text in it needs."""
    for x0, y0, x1, y1 in found:
        for y in range(y0, max(y1 - OVERLAP, y0 + 1), TILE - OVERLAP):
            for x in range(x0, max(x1 - OVERLAP, x0 + 1), TILE - OVERLAP):
                right, below = min(x + TILE, x1), min(y + TILE, y1)
                part = dense[y:below, x:right]
                columns, rows = np.flatnonzero(part.any(axis=0)), np.flatnonzero(part.any(axis=1))
                if rows.size:
                    yield (
                        max(x + int(columns[0]) - MARGIN, x),
                        max(y + int(rows[0]) - MARGIN, y),
                        min(x + int(columns[-1]) + MARGIN, right),
                        min(y + int(rows[-1]) + MARGIN, below),
                    )


def _tiles(
    view: Picture, cut: Iterable[Box], enlarge: float, reduced: float = 1.0, *, turned: bool = False
) -> Iterator[Patch]:
    for x0, y0, x1, y1 in cut:
        tile = np.ascontiguousarray(view[y0:y1, x0:x1])
        if tile.size and not is_flat(tile):
            tile = np.asarray(
                cv2.copyMakeBorder(tile, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_CONSTANT, value=GREY), np.uint8
            )
            picture = _enlarged(np.rot90(tile) if turned else tile, enlarge)
            corner = round((x0 - FRAME) / reduced), round((y0 - FRAME) / reduced)
            yield Patch(picture, *corner, enlarge * reduced, turned, TALLEST * enlarge)


def _scaled(box: Box, scale: float) -> Box:
    return int(box[0] * scale), int(box[1] * scale), int(np.ceil(box[2] * scale)), int(np.ceil(box[3] * scale))


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
