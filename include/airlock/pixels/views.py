"""Views: the 8-bit pictures of a frame in which text is looked for.

Text can hide from any single window: a handful of very bright pixels flatten everything else, a white label lies on
white bone. So a frame of more than 8 bits is shown with its full range, with the range of its middle 98 %, and as two
masks, its darkest and its brightest 2 %. Views that show the same are examined once.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""`(rows, columns, 3)`."""

SAME = 8
"""Two views whose grey levels differ nowhere by more than this show the same text."""

FLAT = 6
"""Grey levels between neighbours below which nothing can be read."""


def stretch(grey: npt.NDArray[np.float32], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Map `[low, high]` to `[0, 255]`."""
    scaled: npt.NDArray[np.float32] = np.clip((grey - low) * (255.0 / max(high - low, 1e-6)), 0, 255)
    return scaled.astype(np.uint8)


def views(shown: npt.NDArray[np.float32] | npt.NDArray[np.uint8], bits: int) -> Iterator[Picture]:
    """Yield the views of a frame in which there is anything to see.

    :param shown: grey values `(rows, columns)`, or 8-bit RGB `(rows, columns, 3)`.
    :param bits: bits stored per sample.
    """
    candidates = _colour_views(shown.astype(np.uint8)) if shown.ndim == 3 else _grey_views(shown, bits)
    seen: list[npt.NDArray[np.uint8]] = []
    for view in candidates:
        if is_flat(view) or any(_same(view, other) for other in seen):
            continue
        seen.append(view)
        yield view if view.ndim == 3 else np.repeat(view[..., None], 3, axis=2)


def _colour_views(rgb: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    yield rgb
    low, high = int(rgb.min()), int(rgb.max())
    if high - low < 128:
        yield stretch(rgb.astype(np.float32), low, high)


def _grey_views(grey: npt.NDArray[np.float32] | npt.NDArray[np.uint8], bits: int) -> Iterator[npt.NDArray[np.uint8]]:
    values = np.nan_to_num(grey.astype(np.float32), copy=False)
    lowest, p1, p2, p98, p99, highest = np.percentile(values, (0, 1, 2, 98, 99, 100))
    yield stretch(values, lowest, highest)
    yield stretch(values, p1, p99)
    if bits > 8:
        for mask in (values <= p2, values >= p98):
            # A mask of most of the image is the range view's business.
            if mask.mean() < 0.6:
                yield mask.astype(np.uint8) * np.uint8(255)


def is_flat(view: npt.NDArray[np.uint8]) -> bool:
    """Whether no two neighbours differ enough for anything to be read: blank frames and smooth gradients."""
    kernel = np.ones((3, 3), np.uint8)
    return int(cv2.morphologyEx(view, cv2.MORPH_GRADIENT, kernel).max(initial=0)) < FLAT


def _same(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> bool:
    return one.shape == other.shape and int(cv2.absdiff(one, other).max(initial=0)) <= SAME
