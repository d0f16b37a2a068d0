"""Images: CT, MR, radiograph, ultrasound, screenshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydicom import Dataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from demo.phantoms.colour import Photometric, store_picture, tint
from demo.phantoms.dataset import common, save, set_pixels
from demo.phantoms.drawing import BRIGHT, body, draw_text, ellipse, fan, noise
from demo.phantoms.patient import Patient, invent_uid


def _plane(ds: Dataset, slice_number: int, spacing_mm: float) -> None:
    ds.FrameOfReferenceUID = invent_uid(ds.StudyInstanceUID, "frame of reference", ds.Modality)
    ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.ImagePositionPatient = [-180.0, -180.0, spacing_mm * slice_number]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.7, 0.7]
    ds.SliceThickness = spacing_mm
    ds.SliceLocation = spacing_mm * slice_number


def ct_series(
    folder: Path,
    patient: Patient,
    slices: int = 20,
    *,
    side: int = 512,
    text: Sequence[str] = (),
    text_hounsfield: float = 3000,
    size: int = 14,
    series: int = 1,
) -> list[Path]:
    """Write a CT series, signed 16 bit.

    :param side: rows and columns.
    :param text: lines that are burned into every slice.
    :param text_hounsfield: their value.
    """
    paths = []
    for number in range(slices):
        ds = common(patient, CTImageStorage, "CT", series, number + 1)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        _plane(ds, number, 3.0)
        ds.AcquisitionNumber = 1
        ds.KVP, ds.ConvolutionKernel = 120, "B30"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
        ds.WindowCenter, ds.WindowWidth = 40, 400
        grey = body(side, side, number)
        if text:
            grey = draw_text(grey, text, (8, 8), size, text_hounsfield)
        set_pixels(ds, np.rint(grey).astype(np.int16)[None], "MONOCHROME2")
        paths.append(save(ds, folder))
    return paths


def mr_series(folder: Path, patient: Patient, slices: int = 5, *, side: int = 256, series: int = 2) -> list[Path]:
    """Write an MR series, unsigned 12 of 16 bit, without text."""
    paths = []
    for number in range(slices):
        ds = common(patient, MRImageStorage, "MR", series, number + 1)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
        _plane(ds, number, 4.0)
        ds.AcquisitionNumber = 1
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "NONE", ""
        ds.MRAcquisitionType, ds.EchoTime, ds.RepetitionTime, ds.EchoTrainLength = "2D", 15, 550, 1
        ds.MagneticFieldStrength = 1.5
        ds.WindowCenter, ds.WindowWidth = 600, 1200
        signal = np.clip((body(side, side, number) + 1000) * 0.6, 0, 4095)
        set_pixels(ds, np.rint(signal).astype(np.uint16)[None], "MONOCHROME2", 12)
        paths.append(save(ds, folder))
    return paths


def radiograph(  # noqa: PLR0913 - everything but where and who has a default
    folder: Path,
    patient: Patient,
    *,
    text: Sequence[str] | None = None,
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME1",
    contrast: float = 900,
    rows: int = 900,
    columns: int = 700,
    outliers: bool = False,
    series: int = 6,
) -> Path:
    """Write a CR image, unsigned 12 of 16 bit.

    :param text: burned-in lines, the patient's by default.
    :param contrast: values between the letters and what is around them.
    :param outliers: whether a few values at the end of the range hide the text from a full-range window.
    """
    ds = common(patient, ComputedRadiographyImageStorage, "CR", series, 1)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    del ds.Laterality  # the chest is not a paired body part
    ds.BodyPartExamined, ds.ViewPosition, ds.PatientOrientation = "CHEST", "PA", ["L", "F"]
    grey = 700 + noise(rows, columns, 7, 3) + 250 * ellipse(rows, columns, 0.6, 0.5, 0.3, 0.35)
    lines = patient.lines if text is None else text
    if lines:
        grey = draw_text(grey, lines, (20, 20), 22, 700 + contrast)
    if outliers:
        grey[-3:, -3:] = 4095
    set_pixels(ds, np.clip(np.rint(grey), 0, 4095).astype(np.uint16)[None], photometric, 12)
    return save(ds, folder)


def ultrasound_cine(  # noqa: PLR0913 - everything but where and who has a default
    folder: Path,
    patient: Patient,
    frames: int = 8,
    *,
    text: Sequence[str] | None = None,
    text_frames: Sequence[int] | None = None,
    photometric: Photometric = "RGB",
    syntax: str = ExplicitVRLittleEndian,
    planar: int = 0,
    rows: int = 480,
    columns: int = 640,
    size: int = 18,
    declared: str | None = "NO",
    series: int = 3,
) -> list[Path]:
    """Write an ultrasound cine of 8 bits per sample with burned-in text; return its one file.

    Native YBR and JPEG-LS or RLE of a palette occur in the field, although the IOD doesn't list them all.

    :param text: burned-in lines, the patient's by default.
    :param text_frames: frames that have them (from 0), all by default.
    :param syntax: transfer syntax to store it in: native, RLE, JPEG-LS, JPEG 2000 or JPEG baseline.
    :param planar: Planar Configuration of native RGB.
    :param declared: what BurnedInAnnotation says, or None to leave it out.
    """
    ds = common(patient, UltrasoundMultiFrameImageStorage, "US", series, 1)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    ds.PatientOrientation = ""
    if frames > 0:
        ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = frames, 40, 0x00181063
    ds.LossyImageCompression = "00"
    if declared:
        ds.BurnedInAnnotation = declared
    lines = patient.lines if text is None else text
    marked = range(frames) if text_frames is None else text_frames
    grey = np.stack(
        [
            draw_text(fan(rows, columns, n), lines if n in marked else (), (10, 8), size, BRIGHT).astype(np.uint8)
            for n in range(frames)
        ]
    )
    store_picture(ds, grey, photometric, UID(syntax), planar)
    return [save(ds, folder)]


def secondary_capture(
    folder: Path,
    patient: Patient,
    *,
    text: Sequence[str] | None = None,
    declared: str | None = "YES",
    rows: int = 400,
    columns: int = 600,
    series: int = 4,
) -> Path:
    """Write a screenshot: RGB, with text unless `text` is empty."""
    ds = common(patient, SecondaryCaptureImageStorage, "OT", series, 1)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ConversionType, ds.PatientOrientation = "WSD", ""
    if declared:
        ds.BurnedInAnnotation = declared
    grey = np.clip(fan(rows, columns, 99) * 0.6, 0, 200)
    lines = (*patient.lines, f"Acc {patient.accession}") if text is None else text
    grey = draw_text(grey, lines, (300, 12), 18, BRIGHT)
    set_pixels(ds, tint(grey.astype(np.uint8))[None], "RGB")
    return save(ds, folder)
