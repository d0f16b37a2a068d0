"""Patches: what the detection network looks at, and where it lies in the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from airlock.findings import Box
from airlock.pixels.strokes import Mask, Planes, areas, text_like
from airlock.pixels.views import Picture, evened_view, is_flat, range_view

ENLARGED = 2.0
"""Letters of 8 pixels are only found when the picture is enlarged so much."""

TILE, OVERLAP = 384, 64
"""Pixels of the frame; larger areas are cut, or the network would need gigabytes."""

WHOLE = 640
"""Pixels of the longer side to which a frame is reduced to find large letters."""

VAST, HALVED = 2000, 0.5
"""Frames with a longer side are looked at in a size between the two as well."""

LARGE_STROKES = 0.25
"""Size in which wide strokes become thin ones."""


@dataclass(frozen=True)
class Patch:
    """A part of a view, scaled for the network.

    :param x: column of the frame where it begins; `y` is its row.
    :param scale: pixels of the patch per pixel of the frame.
    """

    picture: Picture
    x: int
    y: int
    scale: float

    def place(self, box: Box, columns: int, rows: int) -> Box:
        """Return a box of the patch in coordinates of the frame, rounded outwards."""
        x0, y0 = int(self.x + box[0] / self.scale), int(self.y + box[1] / self.scale)
        x1 = int(np.ceil(self.x + box[2] / self.scale))
        y1 = int(np.ceil(self.y + box[3] / self.scale))
        return max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)


def patches(values: Planes, strokes: Mask, changed: Mask | None = None) -> Iterator[Patch]:
    """Yield what the network looks at: all of a frame reduced, and what could be text enlarged.

    :param strokes: of :func:`airlock.pixels.strokes.stroke_mask`.
    :param changed: where to look for small text; None is everywhere.
    """
    longest = max(values.shape[:2])
    whole = resized(values, min(WHOLE / longest, 1.0))
    view = range_view(whole)
    if not is_flat(view):
        yield Patch(view, 0, 0, min(WHOLE / longest, 1.0))
    dense = text_like(strokes)
    if changed is not None:
        dense &= changed
    found = areas(dense)
    if not found:
        return
    evened = evened_view(values)
    yield from _tiles(evened, found, ENLARGED)
    if longest > VAST:
        yield from _tiles(evened_view(resized(values, HALVED)), [_scaled(box, HALVED) for box in found], 1.0, HALVED)


def _tiles(view: Picture, found: list[Box], enlarge: float, reduced: float = 1.0) -> Iterator[Patch]:
    for x0, y0, x1, y1 in found:
        for y in range(y0, max(y1 - OVERLAP, y0 + 1), TILE - OVERLAP):
            for x in range(x0, max(x1 - OVERLAP, x0 + 1), TILE - OVERLAP):
                tile = np.ascontiguousarray(view[y : min(y + TILE, y1), x : min(x + TILE, x1)])
                if tile.size and not is_flat(tile):
                    place = round(x / reduced), round(y / reduced)
                    yield Patch(_enlarged(tile, enlarge), *place, enlarge * reduced)


def _scaled(box: Box, scale: float) -> Box:
    return int(box[0] * scale), int(box[1] * scale), int(np.ceil(box[2] * scale)), int(np.ceil(box[3] * scale))


def _enlarged(tile: Picture, scale: float) -> Picture:
    if scale == 1.0:
        return tile
    return cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)


def resized(values: Planes, scale: float) -> Planes:
    """Return a frame reduced."""
    if scale >= 1.0:
        return values
    size = (max(round(values.shape[1] * scale), 1), max(round(values.shape[0] * scale), 1))
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
