"""A cheap test for what could be text: thin strokes, close together, that stand out of their neighbourhood.

The detection network costs a thousand times more per pixel. It looks only where this test finds strokes; how often the
test misses text is measured by `python -m bench recall`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from airlock.findings import Box

Planes = npt.NDArray[np.float32]
"""`(rows, columns, channels)`, any range."""
Mask = npt.NDArray[np.bool_]

STROKE = 7
"""Pixels; wider strokes are found where the picture is looked at reduced."""

ABOVE_TYPICAL = 3.0
"""How many times as strong as the picture's typical (median) stroke, which is noise, a stroke of a letter is."""

ABOVE_RANGE = 0.004
"""Part of the picture's range of values below which a stroke cannot be seen."""

WINDOW = (25, 11)
"""Pixels along and across a line in which
:const:`ENOUGH` strong ones are text: two letters of the smallest size have more."""
ENOUGH = 25

WIDE, SOLID = 97, 0.75
"""Pixels, and the part of them that looks like text, from which it is texture."""

CELL = 32
MARGIN = 32


def stroke_mask(planes: Planes) -> Mask:
    """Return the pixels of thin bright or dark strokes."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (STROKE, STROKE))
    strong = np.zeros(planes.shape[:2], bool)
    for channel in range(planes.shape[2]):
        plane = np.ascontiguousarray(planes[..., channel])
        bright = cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, kernel)
        height = np.maximum(bright, cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, kernel)).astype(np.float32, copy=False)
        low, high = _range(plane)
        typical = np.minimum(_nearby(height), float(np.median(height[::2, ::2])))
        strong |= height > np.maximum(ABOVE_TYPICAL * typical, ABOVE_RANGE * (high - low))
    return strong


def _nearby(height: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean of the strokes' height around each pixel: noise, where the picture is quieter than on the whole."""
    rows, columns = height.shape
    size = (max(columns // 8, 1), max(rows // 8, 1))
    mean = cv2.blur(cv2.resize(height, size, interpolation=cv2.INTER_AREA), (15, 15))
    return np.asarray(cv2.resize(mean, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _range(plane: npt.NDArray[np.float32]) -> tuple[float, float]:
    step = max(1, max(plane.shape) // 512)
    low, high = np.percentile(plane[::step, ::step], (0.5, 99.5))
    return float(low), float(high)


def text_like(strokes: Mask) -> Mask:
    """Return where strokes are as dense as in text."""
    counted = strokes.astype(np.uint8).astype(np.float32)
    along, across = WINDOW
    level = cv2.boxFilter(counted, -1, (along, across), normalize=False, borderType=cv2.BORDER_CONSTANT)
    upright = cv2.boxFilter(counted, -1, (across, along), normalize=False, borderType=cv2.BORDER_CONSTANT)
    found: Mask = cv2.max(level, upright) >= ENOUGH
    return found


def texture(found: Mask) -> Mask:
    """Return where everything around looks like text, far beyond a line: speckle."""
    share = cv2.blur(found.astype(np.float32), (WIDE, WIDE), borderType=cv2.BORDER_REFLECT)
    solid = (np.asarray(share) > SOLID).astype(np.uint8)
    # Up to its edge, where the window reaches beyond it.
    return np.asarray(cv2.dilate(solid, np.ones((WIDE, WIDE), np.uint8))) > 0


def areas(found: Mask) -> list[Box]:
    """Return rectangles that hold everything found, with a margin; those that touch are joined."""
    rows, columns = found.shape
    if not found.any():
        return []
    cells = np.asarray(cv2.dilate(_by_cell(found), np.ones((3, 3), np.uint8)))
    number, _, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    boxes = []
    for x, y, width, height, _ in stats[1:number]:
        x0, y0 = max(int(x) * CELL - MARGIN // 2, 0), max(int(y) * CELL - MARGIN // 2, 0)
        x1, y1 = int(x + width) * CELL + MARGIN // 2, int(y + height) * CELL + MARGIN // 2
        boxes.append((x0, y0, min(x1, columns), min(y1, rows)))
    return _joined(boxes)


def _by_cell(found: Mask) -> npt.NDArray[np.uint8]:
    rows, columns = (-(-side // CELL) for side in found.shape)
    padded = np.zeros((rows * CELL, columns * CELL), bool)
    padded[: found.shape[0], : found.shape[1]] = found
    return np.asarray(padded.reshape(rows, CELL, columns, CELL).any(axis=(1, 3)), np.uint8)


def _joined(boxes: list[Box]) -> list[Box]:
    """Join rectangles that overlap, until none do."""
    result: list[Box] = []
    for given in boxes:
        box = given
        while meeting := [b for b in result if b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3]]:
            result = [b for b in result if b not in meeting]
            x0, y0, x1, y1 = zip(box, *meeting, strict=True)
            box = min(x0), min(y0), max(x1), max(y1)
        result.append(box)
    return result
