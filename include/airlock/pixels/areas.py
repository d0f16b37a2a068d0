"""Rectangles around what may be text: what the network looks at is cut from them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from airlock.findings import Box
from airlock.pixels.strokes import Mask

CELL, MARGIN = 16, 24
"""Pixels of the cells of which areas are made, and of the ground around them that the network sees too."""


def areas(found: Mask) -> list[Box]:
    """Return rectangles that hold everything found, with a margin; those that share more than they waste are joined."""
    rows, columns = found.shape
    if not found.any():
        return []
    cells = _by_cell(found)
    number, labels = cv2.connectedComponents(np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8))), connectivity=8)
    boxes = []
    for label in range(1, number):
        ys, xs = np.nonzero((labels == label) & (cells > 0))
        x0, y0 = max(int(xs.min()) * CELL - MARGIN, 0), max(int(ys.min()) * CELL - MARGIN, 0)
        x1, y1 = int(xs.max() + 1) * CELL + MARGIN, int(ys.max() + 1) * CELL + MARGIN
        boxes.append((x0, y0, min(x1, columns), min(y1, rows)))
    return _joined(boxes)


def _by_cell(found: Mask) -> npt.NDArray[np.uint8]:
    rows, columns = (-(-side // CELL) for side in found.shape)
    padded = np.zeros((rows * CELL, columns * CELL), bool)
    padded[: found.shape[0], : found.shape[1]] = found
    return np.asarray(padded.reshape(rows, CELL, columns, CELL).any(axis=(1, 3)), np.uint8)


def _joined(boxes: list[Box]) -> list[Box]:
    """Join rectangles while the one around two is no larger than both together."""
    result: list[Box] = []
    for given in boxes:
        box = given
        while (other := next((b for b in result if _area(_around(b, box)) <= _area(b) + _area(box)), None)) is not None:
            result.remove(other)
            box = _around(box, other)
        result.append(box)
    return result


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
