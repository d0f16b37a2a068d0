"""A cheap test for what could be text: thin strokes, close together, that stand out of their neighbourhood.

The detection network costs a thousand times more per pixel. It looks only where this test finds strokes; how often the
test misses text is measured by `python -m bench recall`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.float32]
Planes = npt.NDArray[np.float32]
"""`(rows, columns, channels)`, any range."""
Mask = npt.NDArray[np.bool_]

STROKE = 7
"""Pixels; wider strokes are found where the picture is looked at reduced."""

TALLEST = 48
"""Pixels; the strokes of larger letters are not among those that are looked for."""

ABOVE_TYPICAL = 2.7
"""How many times as strong as the typical (median) stroke around it, which is noise, a stroke of a letter is."""

ABOVE_RANGE = 0.004
"""Part of the picture's range of values below which a stroke cannot be seen."""

HOPELESS = 0.8
"""Part of the range that strokes would have to exceed from which the test says nothing: of noise that fills the range,
and of pages full of small letters, where the typical stroke is one of a letter. There, all is looked at."""

QUIET_PERCENTILE, TO_MEDIAN = 20, 1.35
"""Between letters there is always some ground, so that the weaker strokes of a part tell its noise; and by what the
typical stroke of noise exceeds them."""

WINDOW = (25, 11)
"""Pixels along and across a line in which
:const:`ENOUGH` strong ones are text: two letters of the smallest size have more."""
ENOUGH = 25

LINES = ((24, 8, 3.2), (40, 14, 5.0), (72, 26, 7.5), (112, 40, 9.0))
"""Pixels along and across three letters of several sizes, and how often bright and dark strokes begin in such a window,
row by row on average. Vessels, edges of bone and hairs begin once or twice."""

LEAST = 80
"""Pixels that look like text; where fewer hang together it is a fork of vessels. A word of three letters has twice as
many, a line ten times."""

CLEARLY = 1.5
"""How many times as often as they must strokes begin where letters are beyond doubt."""

FILLED, SPOT = 0.8, 320
"""Part of a piece that is strokes, above which one of fewer pixels, nowhere clearly letters, is a fork of vessels too:
the ground between letters is as wide as their strokes."""

WIDE, SOLID = 97, 0.75
"""Pixels, and the part of them that looks like text, from which it is texture."""

PART = 32
"""Pixels of the parts of a picture whose noise is told apart."""


@dataclass(frozen=True)
class Strokes:
    """Pixels of thin strokes that are brighter, and that are darker, than what is around them.

    :param unclear: where there is too much of them to tell letters from noise.
    """

    bright: Mask
    dark: Mask
    unclear: Mask

    @property
    def both(self) -> Mask:
        """Both."""
        return self.bright | self.dark


def strokes_of(planes: Planes) -> Strokes:
    """Return the pixels of thin bright and dark strokes, of all channels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (STROKE, STROKE))
    bright, dark, unclear = (np.zeros(planes.shape[:2], bool) for _ in range(3))
    for channel in range(planes.shape[2]):
        plane = np.ascontiguousarray(planes[..., channel])
        above = np.asarray(cv2.morphologyEx(plane, cv2.MORPH_TOPHAT, kernel), np.float32)
        below = np.asarray(cv2.morphologyEx(plane, cv2.MORPH_BLACKHAT, kernel), np.float32)
        height = np.maximum(above, below)
        low, high = _range(plane)
        least = ABOVE_TYPICAL * _typical(height)
        strong = height > np.maximum(least, ABOVE_RANGE * (high - low))
        bright |= strong & (above >= below)
        dark |= strong & (below > above)
        unclear |= (least > HOPELESS * (high - low)) & (high > low)
    return Strokes(bright, dark, unclear)


def _typical(height: Grey) -> Grey:
    """Return the typical stroke of noise around each pixel: of speckle where there is speckle, else of the picture."""
    rows, columns = height.shape
    nearby = cv2.erode(_by_part(height), np.ones((3, 3), np.uint8))
    size = (max(columns // 8, 1), max(rows // 8, 1))
    mean = cv2.blur(cv2.resize(height, size, interpolation=cv2.INTER_AREA), (15, 15))
    everywhere = float(_of_noise(height[::2, ::2].reshape(1, -1))[0])
    least = np.minimum(np.asarray(cv2.resize(mean, (columns, rows))), everywhere)
    return np.maximum(np.asarray(cv2.resize(nearby, (columns, rows)), np.float32), least)


def _by_part(height: Grey) -> Grey:
    """Return the typical stroke of noise in every part of a picture, `(rows / PART, columns / PART)`."""
    rows, columns = (max(side // PART, 1) for side in height.shape)
    size = columns * PART, rows * PART
    fitted = np.asarray(cv2.resize(height, size, interpolation=cv2.INTER_NEAREST), np.float32)[::2, ::2]
    half = PART // 2
    parts = fitted.reshape(rows, half, columns, half).swapaxes(1, 2).reshape(rows * columns, -1)
    return _of_noise(parts).reshape(rows, columns)


def _of_noise(heights: Grey) -> Grey:
    """Return the typical stroke of noise in each row."""
    place = heights.shape[1] * QUIET_PERCENTILE // 100
    return np.asarray(TO_MEDIAN * np.partition(heights, place, axis=1)[:, place], np.float32)


def _range(plane: Grey) -> tuple[float, float]:
    step = max(1, max(plane.shape) // 512)
    low, high = np.percentile(plane[::step, ::step], (0.1, 99.9))
    return float(low), float(high)


@dataclass(frozen=True)
class TextLike:
    """Where strokes are as dense as in text, and bright and dark ones alternate as letters do.

    :param level: along rows, as in a level line; `upright` along columns, as in one that runs up or down.
    :param pieces: either, with pieces that are too small to be looked at alone: faint ends of lines.
    """

    level: Mask
    upright: Mask
    pieces: Mask

    @property
    def both(self) -> Mask:
        """Either."""
        return self.level | self.upright


def text_like(strokes: Strokes) -> TextLike:
    """Return where letters may be."""
    counted = strokes.both.astype(np.float32)
    along, across = WINDOW
    dense = np.maximum(_sums(counted, along, across), _sums(counted, across, along)) >= ENOUGH
    if not dense.any():
        return TextLike(strokes.unclear, strokes.unclear, strokes.unclear)
    level, upright = np.zeros_like(dense), np.zeros_like(dense)
    clearly = _alternate(strokes.bright, strokes.dark, level)
    turned = np.ascontiguousarray(strokes.bright.T), np.ascontiguousarray(strokes.dark.T)
    clearly |= _alternate(*turned, upright.T).T
    found = dense & (level | upright)
    large = _letters(found, strokes.both, clearly)
    return TextLike(large & level | strokes.unclear, large & upright | strokes.unclear, found | strokes.unclear)


def _letters(found: Mask, strokes: Mask, clearly: Mask) -> Mask:
    """Return what is found without its pieces that are too small, or forks of vessels."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA]
    inside = labels[found]
    filled = np.bincount(inside, strokes[found], number) > FILLED * sizes
    sure = np.bincount(inside, clearly[found], number) > 0
    kept = np.asarray((sizes >= LEAST) & ~(filled & ~sure & (sizes < SPOT)))
    kept[0] = False
    return np.asarray(kept[labels])


def _alternate(bright: Mask, dark: Mask, found: Mask) -> Mask:
    """Mark where bright and dark strokes alternate along rows as in letters; return where they clearly do."""
    begins = _begins(bright) + _begins(dark)
    clearly = np.zeros_like(bright)
    for along, across, often in LINES:
        sums = _sums(begins, along, across)
        found |= sums >= often * across
        clearly |= sums >= CLEARLY * often * across
    return clearly


def _begins(mask: Mask) -> Grey:
    """Return 1 where a stroke begins, along rows."""
    result = mask.copy()
    result[:, 1:] &= ~mask[:, :-1]
    return result.astype(np.float32)


def _sums(counted: Grey, columns: int, rows: int) -> Grey:
    """Return the sum over a window around each pixel."""
    return np.asarray(
        cv2.boxFilter(
            np.ascontiguousarray(counted), -1, (columns, rows), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
    )


def texture(found: Mask) -> Mask:
    """Return where everything around looks like text, far beyond a line: speckle."""
    share = cv2.blur(found.astype(np.float32), (WIDE, WIDE), borderType=cv2.BORDER_CONSTANT)
    solid = (np.asarray(share) > SOLID).astype(np.uint8)
    # Up to its edge, where the window reaches beyond it. Nothing lies beyond the picture: mirrored there, three lines
    # in a corner would be texture.
    return np.asarray(cv2.dilate(solid, np.ones((WIDE, WIDE), np.uint8))) > 0
