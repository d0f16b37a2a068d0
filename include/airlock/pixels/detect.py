"""Find burned-in text in every frame of an image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from airlock.findings import Box
from airlock.pixels.decode import Frame, StoredImage, displayable
from airlock.pixels.engine import TextEngine
from airlock.pixels.judge import Judge, known_words, merge
from airlock.pixels.views import Picture, is_flat, views

SMALL = 820
"""Pixels of the longer side up to which letters of 7 pixels are only found when the picture is enlarged."""

LARGE = 1600
"""Pixels of the longer side from which a picture is examined reduced (large letters) and in tiles (small letters)."""

TILE, OVERLAP = 1024, 160
REDUCED = 1280


@dataclass(frozen=True)
class Patch:
    """A part of a view, scaled for the network.

    :param x: column of the view where it begins; `y` is its row.
    :param scale: pixels of the patch per pixel of the view.
    """

    picture: Picture
    x: int
    y: int
    scale: float

    def place(self, box: Box, columns: int, rows: int) -> Box:
        """Return a box of the patch in coordinates of the view, rounded outwards."""
        x0, y0 = int(self.x + box[0] / self.scale), int(self.y + box[1] / self.scale)
        x1 = int(np.ceil(self.x + box[2] / self.scale))
        y1 = int(np.ceil(self.y + box[3] / self.scale))
        return max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)


def examine(
    image: StoredImage, engine: TextEngine, confidence: float, numbers: Iterable[int] | None = None
) -> Iterator[tuple[int, list[Box]]]:
    """Yield frame number and boxes to mask, for every frame or those with the given numbers.

    Frames with the same pixels as one before are not examined again, they get its boxes.

    :param confidence: percent; see :class:`airlock.pixels.judge.Judge`.
    :raises InstanceNotUnderstood: when a frame cannot be decoded.
    :raises DetectorUnavailable: when the engine fails.
    """
    judge = Judge(confidence, known_words(image.dataset))
    seen: dict[bytes, list[Box]] = {}
    for frame in image.read(numbers):
        digest = hashlib.blake2b(np.ascontiguousarray(frame.pixels).data, digest_size=16).digest()
        if digest not in seen:
            seen[digest] = examine_frame(frame, image, engine, judge)
        yield frame.number, seen[digest]


def examine_frame(frame: Frame, image: StoredImage, engine: TextEngine, judge: Judge) -> list[Box]:
    """Return the boxes to mask in one frame: the union of what its views show."""
    found: list[Box] = []
    for view in views(displayable(frame, image.pixels), frame.layout.bits_stored):
        rows, columns = view.shape[:2]
        for patch in patches(view):
            boxes = engine.find(patch.picture)
            if boxes:
                masked = judge.masked(boxes, engine.read(patch.picture, boxes), min(patch.picture.shape[:2]))
                found += [patch.place(box, columns, rows) for box in masked]
    return merge(found)


def patches(view: Picture) -> Iterator[Patch]:
    """Yield what the network looks at: the whole view at a fitting size, and tiles of a large one."""
    rows, columns = view.shape[:2]
    longest = max(rows, columns)
    if longest <= LARGE:
        yield _scaled(view, min(640 / longest, 4.0) if longest <= 512 else 1.25 if longest <= SMALL else 1.0)
        return
    yield _scaled(view, REDUCED / longest)
    for y in range(0, max(rows - OVERLAP, 1), TILE - OVERLAP):
        for x in range(0, max(columns - OVERLAP, 1), TILE - OVERLAP):
            tile = np.ascontiguousarray(view[y : y + TILE, x : x + TILE])
            if not is_flat(tile):
                yield Patch(tile, x, y, 1.0)


def _scaled(view: Picture, scale: float) -> Patch:
    if scale == 1.0:
        return Patch(view, 0, 0, 1.0)
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    size = (max(round(view.shape[1] * scale), 1), max(round(view.shape[0] * scale), 1))
    scaled = cv2.resize(view, size, interpolation=how).astype(np.uint8, copy=False)
    return Patch(scaled, 0, 0, scale)
