"""Search for burned-in text: whole runs over a CT series and a cine, of which it is known where text is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from pydicom.uid import CTImageStorage, DigitalMammographyXRayImageStorageForPresentation

from bench.airlock import airlock
from bench.corpus import Size
from bench.grounds import breast, ct_slice
from bench.measure import BenchError, Run
from bench.result import Figure
from bench.truth import CORE
from demo.phantoms import Patient, ultrasound_cine
from demo.phantoms.dataset import common, save, set_pixels
from demo.phantoms.drawing import draw_text

SIDE = 512

VAST = (5000, 4000)
"""Rows and columns of a mammogram."""


def measure(scratch: Path, size: Size) -> Iterator[Figure]:
    """Examine every frame of a CT series with text on three slices and of a cine with text, and yield the rates."""
    patient = Patient.invent(5000)
    slices = noisy_series(scratch / "detect-ct", patient, size.ct_frames)
    ultrasound_cine(scratch / "detect-us", patient, size.us_frames)
    airlock(scratch, "detect", slices[0])
    for name, folder, frames, marked in (
        ("CT 512 x 512, text on three slices", scratch / "detect-ct", size.ct_frames, text_slices(size.ct_frames)),
        ("US 640 x 480, three lines of text", scratch / "detect-us", size.us_frames, set(range(size.us_frames))),
    ):
        runs, strays = zip(*(_examine(scratch, folder, frames, marked) for _ in range(size.searches)), strict=True)
        wall, cpu = (median(values) for values in zip(*((r.wall_seconds, r.cpu_seconds) for r in runs), strict=True))
        rate = f"{frames / wall:.1f} frames/s; boxes on {strays[0]} frames without text"
        yield Figure(f"detect {frames} frames: {name}", wall, cpu, rate)
    yield _vast(scratch, patient)


def _vast(scratch: Path, patient: Patient) -> Figure:
    """Examine a mammogram with lines of three sizes, all of which must be masked."""
    grey, ink = breast(*VAST, 7), np.zeros(VAST)
    for lines, place, size in (
        (["R MLO"], (3300, 300), 120),
        (patient.lines, (3000, 600), 48),
        (patient.lines, (3000, 4600), 20),
    ):
        grey, ink = draw_text(grey, lines, place, size, 3600), draw_text(ink, lines, place, size, 1)
    ds = common(patient, DigitalMammographyXRayImageStorageForPresentation, "MG", 1, 1)
    set_pixels(ds, np.rint(grey).astype(np.uint16)[None], "MONOCHROME2", 12)
    done = airlock(scratch, "detect", save(ds, scratch / "detect-mg"), "--json")
    [frame] = json.loads(done.output)["frames"]
    masked = np.zeros(VAST, bool)
    for x0, y0, x1, y1 in frame["boxes"]:
        masked[y0:y1, x0:x1] = True
    if not masked[ink > CORE].all():
        raise BenchError("a line of the mammogram was not masked whole")
    rate = f"{len(frame['boxes'])} boxes at 7 lines"
    return Figure("detect MG 5000 x 4000, letters of 20, 48 and 120 pixels", done.wall_seconds, done.cpu_seconds, rate)


def text_slices(total: int) -> set[int]:
    """Return the numbers of the slices that have text: near the ends and in the middle."""
    return {1, total // 2, total - 2}


def noisy_series(folder: Path, patient: Patient, total: int) -> list[Path]:
    """Write a CT series, signed 16 bit, with the noise and the fine structures of a scanner's."""
    paths = []
    for number in range(total):
        ds = common(patient, CTImageStorage, "CT", 1, number + 1)
        grey = ct_slice(SIDE, SIDE, number, 20.0)
        if number in text_slices(total):
            grey = draw_text(grey, patient.lines, (300, 12), 12, 400)
        set_pixels(ds, np.rint(grey).astype(np.int16)[None], "MONOCHROME2")
        paths.append(save(ds, folder))
    return paths


def _examine(scratch: Path, folder: Path, frames: int, marked: set[int]) -> tuple[Run, int]:
    """Return the run, and on how many frames without text something was found."""
    done = airlock(scratch, "detect", folder, "--json")
    documents = [json.loads(line) for line in done.output.splitlines()]
    examined = [frame for document in documents for frame in document["frames"]]
    found = {number for number, frame in enumerate(examined) if frame["boxes"]}
    if len(examined) != frames or marked - found:
        missed = len(marked - found)
        raise BenchError(f"{len(examined)} of {frames} frames examined, {missed} of {len(marked)} with text missed")
    return done, len(found - marked)
