"""A truth set for burned-in text: generated pictures of which it is known where text is.

Every picture has its own font, size, contrast, colour, rotation, ground, pixel type and position, drawn from a seed:
the same number gives the same picture. Fonts are those that are installed, Pillow's and OpenCV's own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from airlock.findings import Box
from bench.grounds import GROUNDS, Grey, draw_ground
from bench.letters import bounds, fonts, identifier, invent, setting, stacked, stamp
from demo.phantoms import Patient

SIZES = (8, 9, 10, 11, 12, 14, 16, 20, 28, 40)
CONTRASTS = (0.05, 0.1, 0.2, 0.5, 1.0)
PIXELS = (
    "u8", "u12", "s16", "u16", "inverted", "inverted_8", "rgb", "planar", "palette", "ybr_full", "ybr_422", "ybr_rct",
    "jpeg",
)  # fmt: skip
SHAPES = ((256, 256), (512, 512), (480, 640), (768, 1024), (512, 512), (1500, 1200))
TINTS = ((1, 1, 1), (1, 1, 0.2), (0.3, 1, 0.3), (1, 0.5, 0.2))

CINE = (3, 4, 5)
"""Frames of a cine, of which one has text; one picture in six of those up to a size is a cine."""

CORE = 0.4
"""Opacity from which a pixel of a letter counts as ink."""

VISIBLE = 0.5
"""Part of the text's contrast that a pixel must have to be seen, and part of a line that must be seen to count."""

LEGIBLE = 5.0
"""Contrast, in standard deviations of the ground's noise, from which people recognise small signs (Rose criterion)."""


@dataclass(frozen=True)
class Plan:
    """How a picture is to be.

    :param texts: lines, each with whether the header knows it; none in a picture without text.
    :param contrast: of the text against its ground, 1 = the whole range.
    :param opacity: below 1, the ground shines through the letters.
    :param turn: quarters, counter-clockwise.
    :param frames: number, of which one, `marked`, has the text; `moving` ones differ everywhere.
    :param direction: of the letters in a line.
    """

    number: int
    patient: Patient
    texts: tuple[tuple[str, bool], ...]
    ground: str
    pixels: str
    shape: tuple[int, int]
    size: int
    contrast: float
    opacity: float
    turn: int
    font: str
    tint: tuple[float, float, float]
    frames: int = 1
    marked: int = 0
    moving: bool = False
    tilt_degrees: float = 0.0
    direction: Literal["along", "down"] = "along"


@dataclass(frozen=True)
class Line:
    """One line of text, as it was drawn.

    :param ink: where its letters are that can be seen.
    :param known: whether the header of its file knows what it says.
    """

    ink: npt.NDArray[np.bool_]
    box: Box
    known: bool


@dataclass(frozen=True)
class Sample:
    """Pictures, 0 to 1, and their truth.

    :param grey: `(frames, rows, columns)` without the text.
    :param alpha: opacity of the text, `(rows, columns)`; `value` is its grey, `level` that of the ground below it.
    :param contrast: of the text against its ground, as it came out.
    :param noise: standard deviation of the ground where the text lies.
    """

    plan: Plan
    grey: Grey
    alpha: Grey
    value: float
    level: float
    lines: tuple[Line, ...]
    contrast: float
    noise: float

    @property
    def legible(self) -> bool:
        """Whether the text stands out of its ground so that a person reads it."""
        return self.contrast >= LEGIBLE * self.noise

    @property
    def font(self) -> str:
        """The font's name."""
        return Path(self.plan.font).name

    def blended(self, frame: int) -> Grey:
        """Return a frame, grey, with its text."""
        if frame != self.plan.marked:
            return np.asarray(self.grey[frame])
        return np.asarray(self.grey[frame] * (1 - self.alpha) + self.value * self.alpha)


def plan(number: int) -> Plan:
    """Plan the picture of a number."""
    choose = random.Random(number)
    ground, pixels, shape = choose.choice(GROUNDS), choose.choice(PIXELS), choose.choice(SHAPES)
    size, contrast, turn = choose.choice(SIZES), choose.choice(CONTRASTS), choose.choice((0, 0, 0, 1, 2, 3))
    font, opacity = choose.choice(fonts()), choose.choice((1.0, 1.0, 0.6))
    patient = invent(choose)
    texts = tuple(_line(choose, patient) for _ in range(choose.choice((0, 1, 2, 2, 3, 3))))
    cine = choose.random() < 1 / 6 and shape[0] * shape[1] <= 480 * 640 and pixels not in ("ybr_rct", "jpeg")
    frames = choose.choice(CINE) if cine else 1
    return Plan(
        number, patient, texts, ground, pixels, shape, size, contrast, opacity if contrast > CONTRASTS[0] else 1.0,
        turn, font, choose.choice(TINTS), frames, choose.randrange(frames), choose.random() < 0.5,
    )  # fmt: skip


def _line(choose: random.Random, patient: Patient) -> tuple[str, bool]:
    """Three in four lines are the patient's; others are a stranger's, or about the examination."""
    if choose.random() < 0.75:
        return identifier(choose, patient), True
    return (identifier(choose, invent(choose)) if choose.random() < 0.5 else setting(choose)), False


def sample(number: int) -> Sample:
    """Make the picture of a number."""
    return draw(plan(number))


def draw(given: Plan) -> Sample:
    """Make a picture as it was planned."""
    moved = [frame if given.moving else 0 for frame in range(given.frames)]
    grounds = {frame: draw_ground(given.ground, *given.shape, given.number, frame) for frame in set(moved)}
    grey = np.stack([grounds[frame] for frame in moved])
    picture = grey[given.marked]
    alpha, inks = _placed(given)
    under = picture[alpha > CORE]
    level, spread = (float(under.mean()), float(under.std())) if under.size else (0.5, 0.0)
    # White or black text, whichever has room for the contrast; semi-transparent text lets its ground shine through.
    value = level + given.contrast if level + given.contrast <= 1.0 else level - given.contrast
    if not 0.0 <= value <= 1.0:
        value = 1.0 if level < 0.5 else 0.0
    contrast = abs(value - level) * given.opacity
    # Where the ground is as bright as the letters, nobody reads them.
    seen = np.abs(value - cv2.GaussianBlur(picture, (0, 0), 3)) * given.opacity >= VISIBLE * contrast
    lines = tuple(
        Line(ink & seen, bounds(ink & seen), known)
        for ink, (_, known) in zip(inks, given.texts, strict=False)
        if (ink & seen).sum() >= VISIBLE * ink.sum()
    )
    fine = spread * (1 - given.opacity) + _fine(picture, alpha)
    return Sample(given, grey, alpha * given.opacity, value, level, lines, contrast, fine)


def _placed(given: Plan) -> tuple[Grey, list[npt.NDArray[np.bool_]]]:
    """Return the opacity of the text, and where each line is that has room."""
    rows, columns = given.shape
    alpha = np.zeros(given.shape)
    inks: list[npt.NDArray[np.bool_]] = []
    stamps = [_stamp(text, given) for text, _ in given.texts]
    if not stamps:
        return alpha, inks
    x, y = _position(random.Random(f"place of {given.number}"), stamps, rows, columns)
    beside = given.turn % 2 == 1 or given.direction == "down"
    for drawn in stamps:
        height, width = drawn.shape
        if y + height > rows or x + width > columns:
            break
        part = np.s_[y : y + height, x : x + width]
        alpha[part] = np.maximum(alpha[part], drawn)
        ink = np.zeros(given.shape, bool)
        ink[part] = drawn > CORE
        inks.append(ink)
        x, y = (x + width + given.size // 3, y) if beside else (x, y + height + given.size // 3)
    return alpha, inks


def _stamp(text: str, given: Plan) -> Grey:
    if given.direction == "down":
        return stacked(text, given.font, given.size)
    return np.rot90(stamp(text, given.font, given.size, given.tilt_degrees), given.turn)


def _fine(picture: Grey, alpha: Grey) -> float:
    """Return the standard deviation of what is finer than letters, around the text."""
    around = cv2.dilate((alpha > CORE).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    detail = picture - cv2.GaussianBlur(picture, (0, 0), 4)
    return float(detail[around].std()) if around.any() else 0.0


def _position(choose: random.Random, stamps: list[Grey], rows: int, columns: int) -> tuple[int, int]:
    """Corner of the first line: at a border, or anywhere."""
    height, width = stamps[0].shape
    right, below = max(columns - width - 2, 0), max(rows - height - 2, 0)
    x, y = choose.randint(0, right), choose.randint(0, below)
    return choose.choice(((x, y), (min(2, right), y), (right, y), (x, min(1, below)), (x, below), (min(2, right), 1)))
