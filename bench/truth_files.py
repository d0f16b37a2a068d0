"""Write samples of the truth set as DICOM files, one for each kind of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from bench.truth import Sample
from demo.phantoms.colour import store_picture
from demo.phantoms.dataset import common, save, set_pixels
from demo.phantoms.patient import Patient


def write(folder: Path, sample: Sample) -> Path:
    """Write one sample; the file's name is its number."""
    patient = Patient.invent(sample.number)
    ds = common(patient, SecondaryCaptureImageStorage, "OT", 1, sample.number)
    _store(ds, sample)
    return save(ds, folder)


def _blend(sample: Sample) -> npt.NDArray[np.float64]:
    return np.asarray(sample.grey * (1 - sample.alpha) + sample.value * sample.alpha)


def _store(ds: Dataset, sample: Sample) -> None:
    picture = _blend(sample)
    match sample.pixels:
        case "u12":
            set_pixels(ds, np.rint(picture * 4000 + 20).astype(np.uint16)[None], "MONOCHROME2", 12)
        case "u16":
            # A few pixels far brighter than all others, as implants and markers are.
            values = np.rint(picture * 9000 + 300).astype(np.uint16)
            values[0, :3] = 60000
            set_pixels(ds, values[None], "MONOCHROME2", 16)
        case "s16":
            set_pixels(ds, np.rint(picture * 3000 - 1024).astype(np.int16)[None], "MONOCHROME2", 16)
        case "inverted":
            set_pixels(ds, np.rint((1 - picture) * 4095).astype(np.uint16)[None], "MONOCHROME1", 12)
        case "rgb":
            set_pixels(ds, _coloured(sample)[None], "RGB")
        case "palette" | "ybr_full" | "ybr_422":
            name = {"palette": "PALETTE COLOR", "ybr_full": "YBR_FULL", "ybr_422": "YBR_FULL_422"}[sample.pixels]
            grey = np.rint(picture * 255).astype(np.uint8)
            store_picture(ds, grey[None], name, ds.file_meta.TransferSyntaxUID, 0)  # type: ignore[arg-type]
        case _:
            set_pixels(ds, np.rint(picture * 255).astype(np.uint8)[None], "MONOCHROME2")


def _coloured(sample: Sample) -> npt.NDArray[np.uint8]:
    channels = [sample.grey * (1 - sample.alpha) + sample.value * tint * sample.alpha for tint in sample.tint]
    return np.rint(255 * np.clip(np.stack(channels, axis=-1), 0, 1)).astype(np.uint8)
