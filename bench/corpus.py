"""Synthetic studies to measure with. The same size gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from demo.phantoms import Patient, ct_series, mr_series, report, ultrasound_cine

SLICES = 100
"""Most slices of a series."""


@dataclass(frozen=True)
class Size:
    """How much of each kind.

    :param pairs: measured pairs of runs.
    :param ct: slices of 512 x 512 in the corpus that is de-identified.
    :param mr: slices of 256 x 256.
    :param us: cines of 8 frames of 640 x 480 in colour.
    :param sr: structured reports.
    :param sent: CT slices that are sent.
    :param many: instances that are sent, and received, while memory is watched.
    :param ct_frames: CT slices, and
    :param us_frames: ultrasound frames, that are searched for text.
    :param truth: pictures of the truth set,
    :param first_truth: the number of the first, and
    :param workers: how many processes examine them.
    """

    pairs: int
    ct: int
    mr: int
    us: int
    sr: int
    sent: int = 100
    many: int = 10_000
    ct_frames: int = 8
    us_frames: int = 8
    truth: int = 60
    first_truth: int = 5000
    workers: int = 2


QUICK = Size(pairs=3, ct=200, mr=100, us=4, sr=10, many=2_000)
FULL = Size(pairs=7, ct=800, mr=400, us=16, sr=40, ct_frames=500, us_frames=65, truth=600)


def mixed(folder: Path, size: Size) -> list[Path]:
    """Write the corpus that is de-identified: studies of several patients, a folder for each."""
    paths: list[Path] = []
    for number, slices in enumerate(_parts(size.ct)):
        paths += ct_series(folder / f"ct-{number}", Patient.invent(number), slices)
    for number, slices in enumerate(_parts(size.mr), start=1000):
        paths += mr_series(folder / f"mr-{number}", Patient.invent(number), slices)
    for number in range(2000, 2000 + size.us):
        paths += ultrasound_cine(folder / f"us-{number}", Patient.invent(number), text=())
    for number in range(3000, 3000 + size.sr):
        paths.append(report(folder / f"sr-{number}", Patient.invent(number)))
    return paths


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
