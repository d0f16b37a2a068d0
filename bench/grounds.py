"""Invented pictures without text, with the noise, the edges and the fine structures of their modality."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from demo.phantoms.drawing import ellipse, fan, noise

Grey = npt.NDArray[np.float64]

GROUNDS = ("blank", "ct", "us", "xray", "mr", "texture")

HOUNSFIELD = (-1000.0, 1200.0)
"""The values of CT that :func:`draw_ground` maps to 0 and 1."""


def draw_ground(kind: str, rows: int, columns: int, seed: int, frame: int = 0) -> Grey:
    """Return an invented picture, 0 to 1.

    :param kind: one of :const:`GROUNDS`.
    :param frame: in other frames of the same seed the noise is another, and what moves has moved.
    """
    match kind:
        case "ct":
            low, high = HOUNSFIELD
            picture = (ct_slice(rows, columns, seed + 1000 * frame) - low) / (high - low)
        case "us":
            picture = fan(rows, columns, seed + frame) / 255
        case "mr":
            picture = 0.05 + 0.5 * ellipse(rows, columns, 0.5, 0.5, 0.42, 0.36) + 0.2 * _clouds(rows, columns, seed, 12)
            picture[ellipse(rows, columns, 0.4, 0.4 + 0.01 * frame, 0.1, 0.05)] += 0.25
            picture += noise(rows, columns, seed + 1000 * frame, 0.01)
        case "xray":
            picture = 0.5 + 0.3 * _clouds(rows, columns, seed, 40) + noise(rows, columns, seed + 1000 * frame, 0.008)
            for rib in range(8):
                band = ellipse(rows, columns, 0.1 + 0.11 * rib, 0.5, 0.09, 0.4)
                band &= ~ellipse(rows, columns, 0.125 + 0.11 * rib, 0.5, 0.09, 0.41)
                picture[band] += 0.12
        case "texture":
            picture = 0.45 + 0.25 * _clouds(rows, columns, seed, 48) + _tissue(rows, columns, seed + 1000 * frame, 0.02)
        case _:
            picture = np.full((rows, columns), 0.0 if seed % 2 else 0.2)
    return np.clip(picture, 0, 1)


def ct_slice(rows: int, columns: int, seed: int, level: float = 15.0) -> Grey:
    """Return a slice through an invented trunk, in Hounsfield units: skin, ribs, lungs with vessels, spine, table.

    The noise is that of a soft kernel: neighbours are alike.

    :param level: standard deviation of the noise.
    """
    dice = np.random.default_rng(seed)
    swell = 0.01 * (seed % 10)
    hounsfield = np.full((rows, columns), -1000.0)
    hounsfield[ellipse(rows, columns, 0.5, 0.5, 0.37, 0.45)] = -90
    hounsfield[ellipse(rows, columns, 0.5, 0.5, 0.34, 0.42)] = 45
    for side in (-1, 1):
        lung = ellipse(rows, columns, 0.46, 0.5 + 0.19 * side, 0.21 + swell, 0.13)
        hounsfield[lung] = -840
        _vessels(hounsfield, lung, dice)
    hounsfield[ellipse(rows, columns, 0.5, 0.55, 0.1, 0.08 + swell)] = 160
    for angle in np.arange(0.35, 6.2, 0.42) + 0.02 * (seed % 20):
        y, x = 0.5 + 0.31 * np.sin(angle), 0.5 + 0.39 * np.cos(angle)
        hounsfield[ellipse(rows, columns, y, x, 0.016, 0.03)] = 620
        hounsfield[ellipse(rows, columns, y, x, 0.009, 0.021)] = 250
    spine = ellipse(rows, columns, 0.74, 0.5, 0.065, 0.06)
    hounsfield[spine] = 260 + 90 * _tissue(rows, columns, seed + 1, 1.0)[spine]
    hounsfield[spine & ~ellipse(rows, columns, 0.74, 0.5, 0.058, 0.053)] = 800
    hounsfield[ellipse(rows, columns, 0.815, 0.5, 0.02, 0.022)] = 20
    table = ellipse(rows, columns, 0.55, 0.5, 0.4, 0.6) & ~ellipse(rows, columns, 0.543, 0.5, 0.4, 0.6)
    table[: int(0.88 * rows)] = False
    hounsfield[table] = -300
    grain = cv2.GaussianBlur(dice.normal(0, 1, (rows, columns)), (0, 0), 0.9)
    return np.asarray(cv2.GaussianBlur(hounsfield, (0, 0), 0.7) + grain * (level / grain.std()))


def breast(rows: int, columns: int, seed: int) -> Grey:
    """Return an invented mammogram, 0 to 4095: tissue of all scales, ducts, calcifications, air around.

    :param rows: at least 500, as `columns`.
    """
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    depth = 1 - np.sqrt((x / (0.72 * columns)) ** 2 + ((y - rows / 2) / (0.42 * rows)) ** 2)
    fat = np.asarray(cv2.resize(_clouds(rows // 8, columns // 8, seed, 12), (columns, rows)), np.float32)
    tissue = 1200 + 900 * fat + 60 * _tissue(rows, columns, seed, 1.0)
    picture = np.where(depth > 0, tissue * np.clip(depth, 0, 1) ** 0.3, 60.0).astype(np.float32)
    for _ in range(60):
        x0, y0 = dice.integers(0, columns * 5 // 8), dice.integers(rows // 6, rows * 5 // 6)
        bends = (0.15 * dice.uniform(0, 6.28, 8)).cumsum()
        steps = np.stack([np.cos(bends), np.sin(bends)], axis=1).cumsum(axis=0) * (columns / 66)
        line = np.rint(np.vstack([[0, 0], steps]) + np.array([x0, y0])).astype(np.int32)
        cv2.polylines(picture, [line], False, dice.uniform(1800, 2600), int(dice.integers(3, 9)), cv2.LINE_AA)
    for x0, y0 in zip(
        dice.integers(0, columns * 5 // 8, 200), dice.integers(rows // 5, rows * 4 // 5, 200), strict=True
    ):
        cv2.circle(picture, (int(x0), int(y0)), int(dice.integers(2, 6)), 3200.0, -1)
    return np.asarray(np.clip(picture + dice.normal(0, 8, (rows, columns)), 0, 4095), np.float64)


def _vessels(hounsfield: Grey, lung: npt.NDArray[np.bool_], dice: np.random.Generator) -> None:
    """Draw bright spots and short branches into a lung."""
    ys, xs = np.nonzero(lung)
    unit = max(hounsfield.shape[1] // 256, 1)
    drawn = np.zeros(hounsfield.shape, np.uint8)
    for place in dice.integers(0, max(ys.size, 1), 40 if ys.size else 0):
        x, y = int(xs[place]), int(ys[place])
        reach = dice.integers(-9 * unit, 9 * unit + 1, 2)
        cv2.line(drawn, (x, y), (x + int(reach[0]), y + int(reach[1])), 1, int(dice.integers(1, 3)) * unit)
    hounsfield[lung & (drawn > 0)] = 30


def _tissue(rows: int, columns: int, seed: int, level: float) -> Grey:
    """Return noise of all scales, as in trabecular bone or breast tissue, with a standard deviation."""
    dice = np.random.default_rng(seed)
    total = np.zeros((rows, columns))
    for scale in (1.0, 2.0, 4.0, 8.0):
        layer = np.asarray(cv2.GaussianBlur(dice.normal(0, 1, (rows, columns)), (0, 0), scale), np.float64)
        total += layer / max(float(layer.std()), 1e-6)
    return np.asarray(total * (level / max(float(total.std()), 1e-6)))


def _clouds(rows: int, columns: int, seed: int, scale: int) -> Grey:
    coarse = np.random.default_rng(seed).normal(0, 1, (max(rows // scale, 2), max(columns // scale, 2)))
    smooth = np.asarray(cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float64)
    return smooth / max(float(np.abs(smooth).max()), 1e-6)
