"""A truth set for burned-in text: generated pictures of which it is known where text is.

Every picture has its own font, size, contrast, colour, rotation, ground, pixel type and position, drawn from a seed:
the same number gives the same picture. Fonts are those that are installed, Pillow's and OpenCV's own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from airlock.findings import Box
from demo.phantoms.drawing import body, ellipse, fan, noise

Grey = npt.NDArray[np.float64]

SIZES = (8, 9, 10, 11, 12, 14, 16, 20, 28, 40)
CONTRASTS = (0.05, 0.1, 0.2, 0.5, 1.0)
GROUNDS = ("blank", "ct", "us", "xray", "mr")
PIXELS = ("u8", "u12", "s16", "u16", "inverted", "rgb", "palette", "ybr_full", "ybr_422")
SHAPES = ((256, 256), (512, 512), (480, 640), (768, 1024), (512, 512), (1500, 1200))
FAMILY = ("Hansen", "Fjeldstad", "OLSEN", "Nowak", "SANCHEZ", "de Vries", "Kowalczyk", "MCGREGOR", "Virtanen", "Lund")
GIVEN = ("Anna", "KARI", "Per", "Tomasz", "Maria", "JOHN", "Aino", "Bram", "Ingrid", "Lucia")
FONT_FOLDERS = (Path("/usr/share/fonts"),)
NOT_LETTERS = ("Symbol", "D050000L", "Z003", "MathTeX", "Droid")
"""Fonts of signs or without Latin letters, and a calligraphic one that no device has."""
CORE = 0.4
"""Opacity from which a pixel of a letter counts as ink."""

VISIBLE = 0.5
"""Part of the text's contrast that a pixel must have to be seen, and part of a line that must be seen to count."""

LEGIBLE = 5.0
"""Contrast, in standard deviations of the ground's noise, from which people recognise small signs (Rose criterion)."""


@dataclass(frozen=True)
class Sample:
    """A picture, 0 to 1, and its truth.

    :param grey: `(rows, columns)`; `tint` is what colour pictures multiply the text's contrast with.
    :param ink: where letters are, by line of text.
    :param contrast: of the text against its ground, 1 = the whole range.
    :param noise: standard deviation of the ground where the text lies.
    """

    number: int
    grey: Grey
    tint: tuple[float, float, float]
    alpha: Grey
    value: float
    ink: tuple[npt.NDArray[np.bool_], ...]
    boxes: tuple[Box, ...]
    font: str
    size: int
    contrast: float
    noise: float
    turn: int
    ground: str
    pixels: str

    @property
    def legible(self) -> bool:
        """Whether the text stands out of its ground so that a person reads it."""
        return self.contrast >= LEGIBLE * self.noise


@lru_cache(maxsize=1)
def fonts() -> tuple[str, ...]:
    """Return the names of all fonts: paths, `pillow` and OpenCV's numbers."""
    files = sorted(p for folder in FONT_FOLDERS for p in folder.rglob("*") if p.suffix in (".ttf", ".otf", ".pfb"))
    usable = [str(p) for p in files if not any(word in p.name for word in NOT_LETTERS)]
    return (*usable, *["pillow"] * 3, *[f"cv2:{n}" for n in (0, 1, 2, 3, 4)])


def samples(count: int, first: int = 0) -> Iterator[Sample]:
    """Yield pictures with text."""
    for number in range(first, first + count):
        yield sample(number)


def sample(number: int) -> Sample:
    """Make one picture."""
    choose = random.Random(number)
    ground = choose.choice(GROUNDS)
    pixels = choose.choice(PIXELS)
    rows, columns = choose.choice(SHAPES)
    size, contrast, turn = choose.choice(SIZES), choose.choice(CONTRASTS), choose.choice((0, 0, 0, 1, 2, 3))
    font = choose.choice(fonts())
    picture = draw_ground(ground, rows, columns, number)
    lines = [_line(choose) for _ in range(choose.choice((1, 1, 2, 3)))]
    alpha = np.zeros((rows, columns))
    inks: list[npt.NDArray[np.bool_]] = []
    stamps = [np.rot90(stamp(line, font, size), turn) for line in lines]
    x, y = _position(choose, stamps, rows, columns)
    for drawn in stamps:
        height, width = min(drawn.shape[0], rows - y), min(drawn.shape[1], columns - x)
        if height < drawn.shape[0] or width < drawn.shape[1]:
            break
        alpha[y : y + height, x : x + width] = np.maximum(alpha[y : y + height, x : x + width], drawn)
        ink = np.zeros((rows, columns), bool)
        ink[y : y + height, x : x + width] = drawn > CORE
        inks.append(ink)
        x, y = (x + width + size // 3, y) if turn % 2 else (x, y + height + size // 3)
    under = picture[alpha > CORE]
    level, spread = (float(under.mean()), float(under.std())) if under.size else (0.5, 0.0)
    # White or black text, whichever has room for the contrast; semi-transparent text lets its ground shine through.
    value = level + contrast if level + contrast <= 1.0 else level - contrast
    if not 0.0 <= value <= 1.0:
        value = 1.0 if level < 0.5 else 0.0
    opacity = choose.choice((1.0, 1.0, 0.6)) if contrast > CONTRASTS[0] else 1.0
    contrast_here = abs(value - level) * opacity
    # Where the ground is as bright as the letters, nobody reads them.
    seen = np.abs(value - cv2.GaussianBlur(picture, (0, 0), 3)) * opacity >= VISIBLE * contrast_here
    inks = [ink & seen for ink in inks if (ink & seen).sum() >= VISIBLE * ink.sum()]
    tint = choose.choice(((1, 1, 1), (1, 1, 0.2), (0.3, 1, 0.3), (1, 0.5, 0.2)))
    return Sample(
        number, picture, tint, alpha * opacity, value, tuple(inks), tuple(map(_bounds, inks)), Path(font).name, size,
        contrast_here, spread * (1 - opacity) + _fine(picture, alpha), turn, ground, pixels,
    )  # fmt: skip


def _fine(picture: Grey, alpha: Grey) -> float:
    """Return the standard deviation of what is finer than letters, around the text."""
    around = cv2.dilate((alpha > CORE).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    detail = picture - cv2.GaussianBlur(picture, (0, 0), 4)
    return float(detail[around].std()) if around.any() else 0.0


def _bounds(ink: npt.NDArray[np.bool_]) -> Box:
    ys, xs = np.nonzero(ink)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def _line(choose: random.Random) -> str:
    family, given = choose.choice(FAMILY), choose.choice(GIVEN)
    date = f"{choose.randint(1, 28):02d}.{choose.randint(1, 12):02d}.{choose.randint(1930, 2015)}"
    patient_id = f"{choose.randint(10**6, 10**8)}"
    kinds = (
        f"{family}^{given}",
        f"{family}, {given}",
        f"DOB: {date}",
        date,
        f"ID {patient_id}",
        f"{patient_id}-{family}",
    )
    return choose.choice(kinds)


def _position(choose: random.Random, stamps: list[Grey], rows: int, columns: int) -> tuple[int, int]:
    """Corner of the first line: at a border, or anywhere."""
    height, width = stamps[0].shape
    right, below = max(columns - width - 2, 0), max(rows - height - 2, 0)
    x, y = choose.randint(0, right), choose.randint(0, below)
    return choose.choice(((x, y), (min(2, right), y), (right, y), (x, min(1, below)), (x, below), (min(2, right), 1)))


def stamp(text: str, font: str, size: int) -> Grey:
    """Return the opacity of a line of text, cut to what is drawn."""
    canvas = np.zeros((3 * size + 8, size * len(text) + 16), np.uint8)
    if font.startswith("cv2:"):
        scale = max(size / 30, 0.3)
        place = (4, 2 * size)
        cv2.putText(canvas, text, place, int(font[4:]), scale, 255, max(round(size / 16), 1), cv2.LINE_AA)
    else:
        face = ImageFont.load_default(size) if font == "pillow" else ImageFont.truetype(font, size)
        picture = Image.fromarray(canvas)
        ImageDraw.Draw(picture).text((4, 4), text, fill=255, font=face)
        canvas = np.asarray(picture)
    x0, y0, x1, y1 = _bounds(canvas > 32)
    drawn: Grey = canvas[y0:y1, x0:x1] / 255.0
    return drawn


def draw_ground(kind: str, rows: int, columns: int, seed: int) -> Grey:
    """Return an invented picture without text, 0 to 1, with the noise and the edges of its modality."""
    match kind:
        case "ct":
            picture = np.clip((body(rows, columns, seed) + 1000) / 2200, 0, 1)
        case "us":
            picture = fan(rows, columns, seed) / 255
        case "mr":
            picture = 0.05 + 0.5 * ellipse(rows, columns, 0.5, 0.5, 0.42, 0.36) + 0.2 * _clouds(rows, columns, seed, 12)
            picture[ellipse(rows, columns, 0.4, 0.4, 0.1, 0.05)] += 0.25
            picture += noise(rows, columns, seed, 0.01)
        case "xray":
            picture = 0.5 + 0.3 * _clouds(rows, columns, seed, 40) + noise(rows, columns, seed, 0.008)
            for rib in range(8):
                band = ellipse(rows, columns, 0.1 + 0.11 * rib, 0.5, 0.09, 0.4)
                band &= ~ellipse(rows, columns, 0.125 + 0.11 * rib, 0.5, 0.09, 0.41)
                picture[band] += 0.12
        case _:
            picture = np.full((rows, columns), 0.0 if seed % 2 else 0.2)
    return np.clip(picture, 0, 1)


def _clouds(rows: int, columns: int, seed: int, scale: int) -> Grey:
    coarse = np.random.default_rng(seed).normal(0, 1, (max(rows // scale, 2), max(columns // scale, 2)))
    smooth = np.asarray(cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC), np.float64)
    return smooth / max(float(np.abs(smooth).max()), 1e-6)
