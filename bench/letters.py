"""What the truth set writes into its pictures: lines of text, and how they look."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from airlock.findings import Box
from bench.grounds import Grey
from demo.phantoms import Patient

FAMILY = ("Hansen", "Fjeldstad", "OLSEN", "Nowak", "SANCHEZ", "de Vries", "Kowalczyk", "MCGREGOR", "Virtanen", "Lund")
GIVEN = ("Anna", "KARI", "Per", "Tomasz", "Maria", "JOHN", "Aino", "Bram", "Ingrid", "Lucia")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

FONT_FOLDERS = (Path("/usr/share/fonts"),)
NOT_LETTERS = ("Symbol", "D050000L", "Z003", "MathTeX", "Droid")
"""Fonts of signs or without Latin letters, and a calligraphic one that no device has."""


def invent(choose: random.Random) -> Patient:
    """Return a patient whose identifiers are written as hospitals do."""
    number = choose.randint(10**6, 10**8)
    return replace(
        Patient(),
        name=f"{choose.choice(FAMILY)}^{choose.choice(GIVEN)}",
        id=choose.choice((f"{number}", f"PX-{number}", f"{number // 100:06d}-{number % 10000:04d}")),
        birth_date=f"{choose.randint(1930, 2015)}{choose.randint(1, 12):02d}{choose.randint(1, 28):02d}",
        accession=f"A{number * 7 % 10**8:08d}",
    )


def identifier(choose: random.Random, patient: Patient) -> str:
    """Return a line that says who a patient is."""
    family, given = patient.name.split("^")
    year, month, day = patient.birth_date[:4], patient.birth_date[4:6], patient.birth_date[6:]
    kinds = (
        f"{family}^{given}",
        f"{family}, {given}",
        f"{family} {given}".upper(),
        f"DOB: {day}.{month}.{year}",
        f"{day}.{month}.{year}",
        f"{year}-{month}-{day}",
        f"{month}/{day}/{year}",
        f"{day} {MONTHS[int(month) - 1]} {year}",
        f"ID {patient.id}",
        f"ID: {patient.id}",
        f"{patient.id}-{family}",
        f"Acc {patient.accession}",
    )
    return choose.choice(kinds)


def setting(choose: random.Random) -> str:
    """Return a line about the examination, that no header of a patient knows."""
    kinds = (
        f"Gain {choose.randint(20, 90)} dB",
        f"TI {choose.randint(1, 9) / 10} MI {choose.randint(2, 15) / 10}",
        f"Depth {choose.randint(5, 25)} cm",
        f"{choose.randint(80, 140)} kV {choose.randint(50, 400)} mAs",
        "Abdomen General",
        f"{choose.randint(0, 23):02d}:{choose.randint(0, 59):02d}:{choose.randint(0, 59):02d}",
    )
    return choose.choice(kinds)


@lru_cache(maxsize=1)
def fonts() -> tuple[str, ...]:
    """Return the names of all fonts: paths, `pillow` and OpenCV's numbers."""
    files = sorted(p for folder in FONT_FOLDERS for p in folder.rglob("*") if p.suffix in (".ttf", ".otf", ".pfb"))
    usable = [str(p) for p in files if not any(word in p.name for word in NOT_LETTERS)]
    return (*usable, *["pillow"] * 3, *[f"cv2:{n}" for n in (0, 1, 2, 3, 4)])


def stamp(text: str, font: str, size: int, tilt_degrees: float = 0.0) -> Grey:
    """Return the opacity of a line of text, cut to what is drawn.

    :param size: of the font, pixels.
    :param tilt_degrees: counter-clockwise.
    """
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
    canvas = _cut(canvas)
    if tilt_degrees:
        tilted = Image.fromarray(canvas).rotate(tilt_degrees, Image.Resampling.BICUBIC, expand=True)
        canvas = _cut(np.asarray(tilted))
    drawn: Grey = canvas / 255.0
    return drawn


def stacked(text: str, font: str, size: int) -> Grey:
    """Return the opacity of a line whose letters stand upright below each other."""
    letters = [stamp(letter, font, size) for letter in text if not letter.isspace()]
    gap = max(size // 5, 2)
    width = max(letter.shape[1] for letter in letters)
    result = np.zeros((sum(letter.shape[0] + gap for letter in letters) - gap, width))
    y = 0
    for letter in letters:
        x = (width - letter.shape[1]) // 2
        result[y : y + letter.shape[0], x : x + letter.shape[1]] = letter
        y += letter.shape[0] + gap
    return result


def bounds(ink: npt.NDArray[np.bool_]) -> Box:
    """Return the rectangle around what is drawn."""
    ys, xs = np.nonzero(ink)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def _cut(canvas: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    x0, y0, x1, y1 = bounds(canvas > 32)
    return canvas[y0:y1, x0:x1]
