"""Pictures of invented bodies, with text burned in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Array = npt.NDArray[Any]

BRIGHT = 235
"""Grey level of burned-in text, out of 255."""


def draw_text(grey: Array, lines: Sequence[str], position: tuple[int, int], size: int, value: float) -> Array:
    """Return a copy of a picture with lines of text drawn into it.

    :param grey: `(rows, columns)` or `(rows, columns, samples)`, any type.
    :param position: column and row of the first line.
    :param size: height of the font in pixels.
    :param value: value of the letters; their edges are blended with what is below.
    """
    stencil = Image.new("L", (grey.shape[1], grey.shape[0]), 0)
    ImageDraw.Draw(stencil).multiline_text(position, "\n".join(lines), fill=255, font=ImageFont.load_default(size))
    alpha = np.asarray(stencil, dtype=np.float64) / 255
    if grey.ndim == 3:
        alpha = alpha[..., None]
    return np.rint(grey * (1 - alpha) + value * alpha).astype(grey.dtype)


def noise(rows: int, columns: int, seed: int, level: float) -> Array:
    """Return noise around 0 with a standard deviation of `level`."""
    return np.random.default_rng(seed).normal(0, level, (rows, columns))


def ellipse(rows: int, columns: int, y: float, x: float, ry: float, rx: float) -> Array:
    """Return a mask of an ellipse; centre and radii are parts of the picture, 0 to 1."""
    yy, xx = np.mgrid[:rows, :columns]
    inside: Array = ((yy / rows - y) / ry) ** 2 + ((xx / columns - x) / rx) ** 2 < 1
    return inside


def body(rows: int, columns: int, number: int) -> Array:
    """Return a slice through an invented trunk, in Hounsfield units."""
    hounsfield = np.full((rows, columns), -1000.0)
    hounsfield[ellipse(rows, columns, 0.5, 0.5, 0.36, 0.44)] = 40
    swell = 0.01 * (number % 10)
    for x in (0.32, 0.68):
        hounsfield[ellipse(rows, columns, 0.46, x, 0.2 + swell, 0.12)] = -820
    hounsfield[ellipse(rows, columns, 0.74, 0.5, 0.06, 0.06)] = 700
    hounsfield[ellipse(rows, columns, 0.5, 0.55, 0.09, 0.08 + swell)] = 150
    return hounsfield + noise(rows, columns, number, 12)


def fan(rows: int, columns: int, number: int) -> Array:
    """Return an invented ultrasound sector, 0 to 200."""
    yy, xx = np.mgrid[:rows, :columns]
    angle, depth = np.arctan2(xx - columns / 2, yy + 1), np.hypot(xx - columns / 2, yy) / rows
    inside = (np.abs(angle) < 0.62) & (depth > 0.12) & (depth < 0.88)
    speckle = np.abs(noise(rows, columns, number, 38)) * (1.1 - depth)
    speckle += 30 * (1 + np.sin(14 * depth + 0.3 * number))
    speckle[ellipse(rows, columns, 0.55, 0.5 + 0.01 * (number % 5), 0.1, 0.08)] *= 0.15
    return np.clip(np.where(inside, speckle, 0), 0, 200)
