"""Synthetic studies to measure with. The same size gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from bench.headers import enhanced_mr, scanner_image
from demo.phantoms import Patient, report, ultrasound_cine
from demo.phantoms.dataset import save, set_pixels

SLICES = 100
"""Most slices of a series."""
_PICTURES = 4
_GIANT_FRAMES = 1600


@dataclass(frozen=True)
class Size:
    """How much of each kind.

    :param pairs: measured pairs of runs.
    :param ct: slices of 512 x 512 in the corpus that is de-identified, 0.53 MB each.
    :param mr: slices of 256 x 256, 0.14 MB each.
    :param enhanced: MR objects of 100 frames, 13 MB each.
    :param us: cines of 8 frames of 640 x 480 in colour.
    :param sr: structured reports.
    :param large: more enhanced objects, that are measured alone.
    :param deidentified: MR slices that one process and two de-identify.
    :param sent: CT slices that are sent.
    :param many: instances that are sent, and received, while memory is watched.
    :param ct_frames: CT slices, and
    :param us_frames: ultrasound frames, that are searched for text, and
    :param searches: how often.
    :param truth: pictures of the truth set,
    :param first_truth: the number of the first, and
    :param workers: how many processes examine them; and
    :param read: how many of them the peers read;
    :param robust: lines of each unusual way to write.
    """

    pairs: int
    ct: int
    mr: int
    us: int
    sr: int
    enhanced: int = 2
    large: int = 16
    deidentified: int = 2_000
    sent: int = 100
    many: int = 10_000
    ct_frames: int = 8
    us_frames: int = 8
    searches: int = 1
    truth: int = 60
    first_truth: int = 40_000
    workers: int = 2
    read: int = 10
    robust: int = 4


QUICK = Size(pairs=3, ct=400, mr=200, us=2, sr=10, many=2_000)
FULL = Size(
    pairs=7,
    ct=1600,
    mr=800,
    us=8,
    sr=40,
    enhanced=8,
    ct_frames=500,
    us_frames=65,
    searches=3,
    truth=400,
    read=60,
)


def mixed(folder: Path, size: Size) -> list[Path]:
    """Write the corpus that is de-identified: studies of several patients, a folder for each."""
    paths: list[Path] = []
    for number, slices in enumerate(_parts(size.ct)):
        paths += series(folder / f"ct-{number}", Patient.invent(number), "CT", slices, side=512)
    for number, slices in enumerate(_parts(size.mr), start=1000):
        paths += series(folder / f"mr-{number}", Patient.invent(number), "MR", slices, side=256)
    for number in range(2000, 2000 + size.us):
        paths += ultrasound_cine(folder / f"us-{number}", Patient.invent(number), text=())
    for number in range(3000, 3000 + size.sr):
        paths.append(report(folder / f"sr-{number}", Patient.invent(number)))
    return paths + large(folder, size.enhanced)


def series(folder: Path, patient: Patient, modality: str, slices: int, *, side: int) -> list[Path]:
    """Write a series of slices with the headers of a scanner; their pictures are noise."""
    pictures = _noise(_PICTURES, side)
    paths = []
    for number in range(slices):
        ds = scanner_image(patient, modality, 1, number + 1)
        set_pixels(ds, pictures[number % _PICTURES][None], "MONOCHROME2", 12)
        paths.append(save(ds, folder))
    return paths


def many(folder: Path, count: int) -> list[Path]:
    """Write MR series of several patients."""
    parts = enumerate(_parts(count), start=5000)
    return [
        path
        for number, slices in parts
        for path in series(folder / f"mr-{number}", Patient.invent(number), "MR", slices, side=256)
    ]


def large(folder: Path, count: int) -> list[Path]:
    """Write enhanced MR objects of 100 frames of 256 x 256."""
    paths = []
    for number in range(4000, 4000 + count):
        ds: Dataset = enhanced_mr(Patient.invent(number), SLICES)
        set_pixels(ds, _noise(SLICES, 256), "MONOCHROME2", 12)
        paths.append(save(ds, folder / f"enhanced-{number}"))
    return paths


def giant(folder: Path) -> Path:
    """Write an MR object of 1600 frames in one, 0.2 GB of pixels behind the header of a slice."""
    ds: Dataset = scanner_image(Patient.invent(6000), "MR", 1, 1)
    set_pixels(ds, _noise(_GIANT_FRAMES, 256), "MONOCHROME2", 12)
    return save(ds, folder)


def _noise(frames: int, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.random.default_rng(frames).integers(0, 4096, (frames, side, side), dtype=np.uint16)


def _parts(total: int) -> list[int]:
    return [min(SLICES, total - start) for start in range(0, total, SLICES)]


def copies(path: Path, folder: Path, number: int) -> Path:
    """Fill a folder with names of one file, which take no room; return the folder."""
    folder.mkdir()
    for n in range(number):
        (folder / f"{n}.dcm").hardlink_to(path)
    return folder


def distinct(path: Path, folder: Path, number: int) -> Path:
    """Fill a folder with instances that differ in their SOPInstanceUID, as long as the one of a file."""
    data = path.read_bytes()
    uid = str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID).encode()
    folder.mkdir()
    for n in range(number):
        digits = f"1{n:06d}".encode()
        (folder / f"{n}.dcm").write_bytes(data.replace(uid, uid[: -len(digits)] + digits))
    return folder
