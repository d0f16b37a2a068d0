"""Views: the 8-bit pictures of a frame in which text is looked for.

Text can hide from any window over the whole picture: a handful of very bright pixels flatten everything else, a white
label lies on white bone. So the network sees the picture evened out: every pixel against the mean and the spread of its
neighbourhood, in which a letter that is 5 % brighter than its ground looks like one that is 100 % brighter. Large
letters, which that view hollows out, are looked for in the plain range of values.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from airlock.pixels.strokes import Planes

Picture = npt.NDArray[np.uint8]
"""`(rows, columns, 3)`."""

NEIGHBOURHOOD = 8.0
"""Standard deviation, in pixels, of the neighbourhood's mean."""

SPARSE = 2
"""Of how many pixels, along and across, one is enough for the neighbourhood's mean."""

SPREADS = 2.5
"""Standard deviations of the neighbourhood that are shown to either side."""

QUIET = 0.004
"""Part of the range of values that is not enhanced: the finest steps of a smooth ground."""

FLAT = 6
"""Grey levels between neighbours below which nothing can be read."""


def stretch(grey: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Map `[low, high]` to `[0, 255]`."""
    scaled: npt.NDArray[np.float32] = np.clip((grey - low) * (255.0 / max(high - low, 1e-6)), 0, 255)
    return scaled.astype(np.uint8)


def planes(shown: npt.NDArray[np.float32] | npt.NDArray[np.uint8]) -> Planes:
    """Return a frame's channels: one where all are alike.

    :param shown: grey values `(rows, columns)`, or 8-bit RGB `(rows, columns, 3)`.
    """
    values = shown.astype(np.float32)
    if values.ndim == 2:
        return np.nan_to_num(values, copy=False)[..., None]
    tinted = int(np.abs(shown[..., 0].astype(np.int16) - shown[..., 1]).max(initial=0)) > FLAT
    tinted = tinted or int(np.abs(shown[..., 2].astype(np.int16) - shown[..., 1]).max(initial=0)) > FLAT
    return values if tinted else np.ascontiguousarray(values[..., 1:2])


def evened_view(values: Planes) -> Picture:
    """Return a picture in which every pixel is shown against its neighbourhood."""
    return _picture([_evened(np.ascontiguousarray(values[..., n])) for n in range(values.shape[2])])


def _evened(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    detail = plane - _smooth(plane, NEIGHBOURHOOD)
    size = np.abs(detail[::2, ::2])
    typical = float(np.median(size[size > 0])) if size.any() else 1.0
    low, high = np.percentile(plane[::2, ::2], (0.5, 99.5))
    spread = cv2.sqrt(_smooth(detail * detail, 1.5 * NEIGHBOURHOOD))
    quiet = max(typical, QUIET * float(high - low), 1e-3)
    shown = detail / (spread + np.float32(quiet)) * (127.5 / SPREADS) + 127.5
    return np.clip(shown, 0, 255).astype(np.uint8)


def _smooth(plane: npt.NDArray[np.float32], deviation: float) -> npt.NDArray[np.float32]:
    """Return the mean of a neighbourhood, weighted by a normal distribution: computed of a reduced picture.

    What so wide a window leaves has nothing finer; the mean difference is below a thousandth of the range.
    """
    rows, columns = plane.shape
    size = max(round(columns / SPARSE), 1), max(round(rows / SPARSE), 1)
    reduced = cv2.GaussianBlur(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), (0, 0), deviation / SPARSE)
    return np.asarray(cv2.resize(reduced, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def range_view(values: Planes) -> Picture:
    """Return a picture of the whole range; of grey ones, other colours are the middle 98 % and the evened view."""
    low, high = float(values.min()), float(values.max())
    if values.shape[2] == 3:
        return stretch(values, low, high) if high - low < 128 else values.astype(np.uint8)
    plane = np.ascontiguousarray(values[..., 0])
    p1, p99 = np.percentile(plane, (1, 99))
    return np.dstack([stretch(plane, low, high), _evened(plane), stretch(plane, float(p1), float(p99))])


def _picture(channels: list[npt.NDArray[np.uint8]]) -> Picture:
    return np.dstack(channels if len(channels) == 3 else channels * 3)


def is_flat(view: npt.NDArray[np.uint8]) -> bool:
    """Whether no two neighbours differ enough for anything to be read: blank frames and smooth gradients."""
    kernel = np.ones((3, 3), np.uint8)
    return int(cv2.morphologyEx(view, cv2.MORPH_GRADIENT, kernel).max(initial=0)) < FLAT
