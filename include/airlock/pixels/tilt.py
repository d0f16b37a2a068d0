"""Tilted lines: the engine reads level ones, so that they are straightened before."""

from __future__ import annotations

import cv2
import numpy as np

from airlock.pixels.network import Candidate
from airlock.pixels.views import Picture

LEAST, MOST = 3.0, 40.0
"""Degrees from which a line is straightened, and up to which; steeper ones are looked at in turned parts."""

SLIM = 0.8
"""Part of the height of its box that a line fills at most which is straightened."""

LONG = 2.5
"""How many times as long as high a line is whose angle can be told."""


def is_tilted(candidate: Candidate) -> bool:
    """Whether a candidate is a line at an angle at which it is read badly."""
    low, long = candidate.sides
    _, y0, _, y1 = candidate.box
    return LEAST <= abs(candidate.angle) <= MOST and long >= LONG * low and low <= SLIM * (y1 - y0)


def straightened(picture: Picture, candidate: Candidate) -> Picture:
    """Return a tilted line alone, level."""
    height, length = (round(side) for side in candidate.sides)
    column, row = candidate.centre
    turn = np.asarray(cv2.getRotationMatrix2D((column, row), candidate.angle, 1.0), np.float64)
    turn[:, 2] += np.array([length / 2 - column, height / 2 - row])
    return np.asarray(cv2.warpAffine(picture, turn, (length, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)
