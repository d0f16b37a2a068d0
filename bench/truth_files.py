"""Write samples of the truth set as DICOM files, one for each kind of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, SecondaryCaptureImageStorage

from bench.truth import Sample
from demo.phantoms.colour import Photometric, store_picture
from demo.phantoms.dataset import common, save, set_pixels

STORED: dict[str, tuple[Photometric, UID]] = {
    "inverted_8": ("MONOCHROME1", ExplicitVRLittleEndian),
    "palette": ("PALETTE COLOR", ExplicitVRLittleEndian),
    "ybr_full": ("YBR_FULL", ExplicitVRLittleEndian),
    "ybr_422": ("YBR_FULL_422", ExplicitVRLittleEndian),
    "ybr_rct": ("RGB", JPEG2000Lossless),
    "jpeg": ("RGB", JPEGBaseline8Bit),
}
"""Kinds of 8 bits that differ by photometric interpretation and compression only."""


def write(folder: Path, sample: Sample) -> Path:
    """Write one sample."""
    ds = common(sample.plan.patient, SecondaryCaptureImageStorage, "OT", 1, sample.plan.number)
    frames = np.stack([sample.blended(frame) for frame in range(sample.plan.frames)])
    if sample.plan.frames > 1:
        ds.NumberOfFrames = sample.plan.frames
    _store(ds, frames, sample)
    return save(ds, folder)


def _store(ds: Dataset, frames: npt.NDArray[np.float64], sample: Sample) -> None:
    match sample.plan.pixels:
        case "u12":
            set_pixels(ds, np.rint(frames * 4000 + 20).astype(np.uint16), "MONOCHROME2", 12)
        case "u16":
            # A few pixels far brighter than all others, as implants and markers are.
            values = np.rint(frames * 9000 + 300).astype(np.uint16)
            values[:, 0, :3] = 60000
            set_pixels(ds, values, "MONOCHROME2", 16)
        case "s16":
            set_pixels(ds, np.rint(frames * 3000 - 1024).astype(np.int16), "MONOCHROME2", 16)
        case "inverted":
            set_pixels(ds, np.rint((1 - frames) * 4095).astype(np.uint16), "MONOCHROME1", 12)
        case "rgb" | "planar":
            _colour(ds, sample)
        case kind if kind in STORED:
            photometric, syntax = STORED[kind]
            store_picture(ds, np.rint(frames * 255).astype(np.uint8), photometric, syntax, 0)
        case _:
            set_pixels(ds, np.rint(frames * 255).astype(np.uint8), "MONOCHROME2")


def _colour(ds: Dataset, sample: Sample) -> None:
    """Store grey pictures with coloured text."""
    grey = sample.grey[..., None].repeat(3, axis=3)
    alpha, marked = sample.alpha[..., None], sample.plan.marked
    colour = sample.level + (sample.value - sample.level) * np.asarray(sample.plan.tint)
    grey[marked] = grey[marked] * (1 - alpha) + colour * alpha
    rgb = np.rint(255 * np.clip(grey, 0, 1)).astype(np.uint8)
    set_pixels(ds, rgb, "RGB")
    if sample.plan.pixels == "planar":
        ds.PlanarConfiguration = 1
        ds.PixelData = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).tobytes()
