"""Search for burned-in text: a plain figure, no peer that does the same comes as a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.airlock import airlock
from bench.corpus import Size
from bench.measure import BenchError, Run
from bench.result import Figure
from demo.phantoms import Patient, ct_series, ultrasound_cine


def measure(scratch: Path, size: Size) -> Iterator[Figure]:
    """Examine every frame of a CT series without text and of a cine with text, and yield the rates."""
    patient = Patient.invent(5000)
    slices = ct_series(scratch / "detect-ct", patient, size.ct_frames)
    ultrasound_cine(scratch / "detect-us", patient, size.us_frames)
    airlock(scratch, "detect", slices[0])
    for name, folder, frames, with_text in (
        ("CT 512 x 512, no text", scratch / "detect-ct", size.ct_frames, 0),
        ("US 640 x 480, three lines of text", scratch / "detect-us", size.us_frames, size.us_frames),
    ):
        runs = [_examine(scratch, folder, frames, with_text) for _ in range(size.pairs)]
        wall, cpu = (median(values) for values in zip(*((r.wall_seconds, r.cpu_seconds) for r in runs), strict=True))
        yield Figure(f"detect {frames} frames: {name}", wall, cpu, f"{frames / wall:.1f} frames/s")


def _examine(scratch: Path, folder: Path, frames: int, with_text: int) -> Run:
    done = airlock(scratch, "detect", folder, "--json")
    documents = [json.loads(line) for line in done.output.splitlines()]
    examined = [frame for document in documents for frame in document["frames"]]
    found = sum(bool(frame["boxes"]) for frame in examined)
    if (len(examined), found) != (frames, with_text):
        raise BenchError(f"text in {found} of {len(examined)} frames, not in {with_text} of {frames}")
    return done
