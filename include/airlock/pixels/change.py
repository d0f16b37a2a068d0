"""Where a frame differs from the one before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from airlock.findings import Box
from airlock.pixels.decode import Array
from airlock.pixels.strokes import Mask

AROUND = 32
"""Pixels; half of it is how far a letter may reach into what has not changed."""

MOSTLY = 0.7
"""Part of a frame that has changed from which all of it is examined."""


@dataclass(frozen=True)
class Change:
    """What differs.

    :param exactly: every pixel that differs.
    :param around: these and their neighbourhood, in which a letter may reach into what has not changed.
    """

    exactly: Mask
    around: Mask

    def spares(self, box: Box) -> bool:
        """Whether a box is as it was, or reaches out of what is examined again."""
        part = np.s_[box[1] : box[3], box[0] : box[2]]
        return not self.exactly[part].any() or not self.around[part].all()


def difference(before: Array, now: Array) -> Change | None:
    """Return where two frames differ; None when they cannot be compared or differ mostly."""
    if before.shape != now.shape:
        return None
    differs = before != now
    exactly: Mask = differs.any(axis=2) if differs.ndim == 3 else differs
    around: Mask = cv2.dilate(exactly.astype(np.uint8), np.ones((AROUND, AROUND), np.uint8)) > 0
    return None if around.mean() > MOSTLY else Change(exactly, around)
