"""Fill boxes with the black of a frame's photometric interpretation."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box
from airlock.pixels.colours import palette_darkest
from airlock.pixels.decode import Array, Frame
from airlock.pixels.native import HALF_CHROMA

MARGIN = 2
"""Pixels that are masked around a box, as the detector's boxes may cut the outline of a letter."""


def black(frame: Frame, dataset: Dataset) -> Array:
    """Return the value of black, one number per sample.

    Grey frames of more than 8 bits get their own darkest value (MONOCHROME1: highest), so that masking changes
    neither the range of values nor an automatic window; it also fits signed values.

    :raises InstanceNotUnderstood: when it isn't known what black is.
    """
    layout, pixels = frame.layout, frame.pixels
    match layout.photometric:
        case "MONOCHROME2":
            value = [0 if layout.bits_stored <= 8 and not layout.signed else pixels.min()]
        case "MONOCHROME1":
            full = 2**layout.bits_stored - 1
            value = [full if layout.bits_stored <= 8 and not layout.signed else pixels.max()]
        case "PALETTE COLOR":
            value = [palette_darkest(dataset)]
        case "RGB":
            value = [0, 0, 0]
        case "YBR_FULL":
            middle = 1 << (layout.bits_stored - 1)
            value = [0, middle, middle]
        case "YBR_PARTIAL_422":
            unit = 1 << (layout.bits_stored - 8)
            value = [16 * unit, 128 * unit, 128 * unit]
        case _:
            raise InstanceNotUnderstood("its photometric interpretation is not known")
    if len(value) != layout.samples:
        raise InstanceNotUnderstood("its samples per pixel don't fit its photometric interpretation")
    return np.asarray(value, dtype=pixels.dtype)


def masked(frame: Frame, dataset: Dataset, boxes: list[Box]) -> Array:
    """Return the frame's pixels with the boxes and their margin filled; every other pixel is as before.

    :raises InstanceNotUnderstood: when a box lies outside the frame, or black is not known.
    """
    if not boxes:
        return frame.pixels
    rows, columns = frame.pixels.shape[:2]
    colour = black(frame, dataset)
    pixels = frame.pixels.copy()
    for x0, y0, x1, y1 in boxes:
        if not (0 <= x0 < x1 <= columns and 0 <= y0 < y1 <= rows):
            raise InstanceNotUnderstood("a box lies outside its frame")
        left, right = max(x0 - MARGIN, 0), x1 + MARGIN
        if frame.layout.photometric in HALF_CHROMA:
            left, right = left - left % 2, right + right % 2  # both pixels that share their chroma
        region = np.s_[max(y0 - MARGIN, 0) : y1 + MARGIN, left:right]
        pixels[region] = colour if pixels.ndim == 3 else colour[0]
    return pixels
