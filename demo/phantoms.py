"""Synthetic DICOM with an invented patient: valid by the rules of its IOD, and full of identifiers to look for.

Nothing here comes from a person. Every function writes files and returns their paths; the same arguments give the
same bytes.
"""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
)

Array = npt.NDArray[Any]
Photometric = Literal["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR"]

BASIC_TEXT_SR = UID("1.2.840.10008.5.1.4.1.1.88.11")
BRIGHT = 235
"""Grey level of burned-in text, out of 255."""


def invent_uid(*parts: object) -> UID:
    """Return a UID that is always the same for the same parts (PS3.5 section B.2, from a UUID)."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, '/'.join(map(str, parts))).int}")


@dataclass(frozen=True)
class Patient:
    """An invented patient and an invented study, with everything that must not leave.

    Dates are `YYYYMMDD`, times `HHMMSS`.
    """

    name: str = "Fjeldstad^Ingrid Marie"
    id: str = "PX-4711-0815"
    birth_date: str = "19610312"
    sex: str = "F"
    age: str = "065Y"
    address: str = "Storgata 17, 5020 Bergen"
    phone: str = "+47 55 97 11 22"
    accession: str = "ACC26110042"
    study_id: str = "ST-9921"
    study_date: str = "20260417"
    study_time: str = "101530"
    study_description: str = "Kontroll Ingrid Fjeldstad"
    referring_physician: str = "Haugland^Torbjorn"
    operator: str = "Lindqvist^Sara"
    institution: str = "Solvik Sykehus"
    station: str = "SOLVIK-ROOM7"
    study_uid: str = invent_uid("study", 0)

    @classmethod
    def invent(cls, seed: int) -> Patient:
        """Return another patient for another seed."""
        dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        family = dice.choice(["Osterhaug", "Brekkemoen", "Vindheimsdal", "Sandvoll", "Tveitnes", "Kvalheimsvik"])
        given = dice.choice(["Astrid", "Sigurd", "Ragnhild", "Eivind", "Solveig", "Halvard"])
        number = dice.randrange(1000, 10000)
        return replace(
            cls(),
            name=f"{family}^{given}",
            id=f"PX-{number}-{seed:04d}",
            birth_date=f"19{dice.randrange(30, 99)}{dice.randrange(1, 13):02d}{dice.randrange(1, 29):02d}",
            accession=f"ACC{number}{seed:05d}",
            study_id=f"ST-{number}",
            study_description=f"Kontroll {given} {family}",
            study_uid=invent_uid("study", seed),
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """What a scanner writes into its pictures."""
        family, given = self.name.split("^")
        y, m, d = self.birth_date[:4], self.birth_date[4:6], self.birth_date[6:]
        return (f"{family.upper()}, {given}", f"ID {self.id}", f"{d}.{m}.{y}")

    def identifiers(self) -> list[str]:
        """Return every value that must be found nowhere in an output."""
        given = {k: v for k, v in vars(self).items() if k not in ("sex", "age", "study_time")}
        return [*map(str, given.values()), *self.name.split("^"), *self.referring_physician.split("^")]


def draw_text(grey: Array, lines: Sequence[str], position: tuple[int, int], size: int, value: float) -> Array:
    """Return a copy of a picture with lines of text drawn into it.

    :param grey: `(rows, columns)` or `(rows, columns, samples)`, any type.
    :param position: column and row of the first line.
    :param size: height of the font in pixels.
    :param value: value of the letters; their edges are blended with what is below.
    """
    stencil = Image.new("L", (grey.shape[1], grey.shape[0]), 0)
    ImageDraw.Draw(stencil).multiline_text(position, "\n".join(lines), fill=255, font=ImageFont.load_default(size))
    alpha = np.asarray(stencil, dtype=np.float64) / 255
    if grey.ndim == 3:
        alpha = alpha[..., None]
    return np.rint(grey * (1 - alpha) + value * alpha).astype(grey.dtype)


def _noise(rows: int, columns: int, seed: int, level: float) -> Array:
    return np.random.default_rng(seed).normal(0, level, (rows, columns))


def _ellipse(rows: int, columns: int, y: float, x: float, ry: float, rx: float) -> Array:
    yy, xx = np.mgrid[:rows, :columns]
    inside: Array = ((yy / rows - y) / ry) ** 2 + ((xx / columns - x) / rx) ** 2 < 1
    return inside


def _body(rows: int, columns: int, number: int) -> Array:
    """Return a slice through an invented trunk, in Hounsfield units."""
    hounsfield = np.full((rows, columns), -1000.0)
    hounsfield[_ellipse(rows, columns, 0.5, 0.5, 0.36, 0.44)] = 40
    swell = 0.01 * (number % 10)
    for x in (0.32, 0.68):
        hounsfield[_ellipse(rows, columns, 0.46, x, 0.2 + swell, 0.12)] = -820
    hounsfield[_ellipse(rows, columns, 0.74, 0.5, 0.06, 0.06)] = 700
    hounsfield[_ellipse(rows, columns, 0.5, 0.55, 0.09, 0.08 + swell)] = 150
    return hounsfield + _noise(rows, columns, number, 12)


def _fan(rows: int, columns: int, number: int) -> Array:
    """Return an invented ultrasound sector, 0 to 200."""
    yy, xx = np.mgrid[:rows, :columns]
    angle, depth = np.arctan2(xx - columns / 2, yy + 1), np.hypot(xx - columns / 2, yy) / rows
    inside = (np.abs(angle) < 0.62) & (depth > 0.12) & (depth < 0.88)
    speckle = np.abs(_noise(rows, columns, number, 38)) * (1.1 - depth)
    speckle += 30 * (1 + np.sin(14 * depth + 0.3 * number))
    speckle[_ellipse(rows, columns, 0.55, 0.5 + 0.01 * (number % 5), 0.1, 0.08)] *= 0.15
    return np.clip(np.where(inside, speckle, 0), 0, 200)


def _common(patient: Patient, sop_class: UID, modality: str, series: int, instance: int) -> Dataset:
    """Patient, study, series, equipment and SOP common modules."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.SourceApplicationEntityTitle = "SOLVIK"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = invent_uid(patient.study_uid, modality, series, instance)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = ds.AcquisitionDate = patient.study_date
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = ds.AcquisitionTime = patient.study_time
    ds.AccessionNumber, ds.StudyID = patient.accession, patient.study_id
    ds.Modality, ds.Manufacturer = modality, "Airlock Phantoms"
    ds.ManufacturerModelName, ds.SoftwareVersions, ds.DeviceSerialNumber = "Phantom 1", "1.0", "SN-55812"
    ds.InstitutionName, ds.StationName = patient.institution, patient.station
    ds.ReferringPhysicianName, ds.OperatorsName = patient.referring_physician, patient.operator
    ds.StudyDescription, ds.SeriesDescription = patient.study_description, f"{modality} phantom {series}"
    ds.PatientName, ds.PatientID, ds.PatientSex = patient.name, patient.id, patient.sex
    ds.PatientBirthDate, ds.PatientAge = patient.birth_date, patient.age
    ds.PatientAddress, ds.PatientTelephoneNumbers = patient.address, patient.phone
    ds.StudyInstanceUID = patient.study_uid
    ds.SeriesInstanceUID = invent_uid(patient.study_uid, modality, series)
    ds.SeriesNumber, ds.InstanceNumber = series, instance
    ds.Laterality = ""
    return ds


def _pixels(ds: Dataset, frames: Array, photometric: str, bits_stored: int | None = None) -> None:
    """Set the image pixel module from `(frames, rows, columns[, samples])`, stored natively."""
    bits = frames.dtype.itemsize * 8
    ds.SamplesPerPixel = frames.shape[3] if frames.ndim == 4 else 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = frames.shape[1:3]
    ds.BitsAllocated, ds.BitsStored = bits, bits_stored or bits
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(frames.dtype.kind == "i")
    if ds.SamplesPerPixel > 1:
        ds.PlanarConfiguration = 0
    content = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"


def _save(ds: Dataset, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{ds.Modality}-{ds.SeriesNumber}-{ds.InstanceNumber:04d}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


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
        ds = _common(patient, CTImageStorage, "CT", series, number + 1)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        _plane(ds, number, 3.0)
        ds.AcquisitionNumber = 1
        ds.KVP, ds.ConvolutionKernel = 120, "B30"
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
        ds.WindowCenter, ds.WindowWidth = 40, 400
        grey = _body(side, side, number)
        if text:
            grey = draw_text(grey, text, (8, 8), size, text_hounsfield)
        _pixels(ds, np.rint(grey).astype(np.int16)[None], "MONOCHROME2")
        paths.append(_save(ds, folder))
    return paths


def mr_series(folder: Path, patient: Patient, slices: int = 5, *, side: int = 256, series: int = 2) -> list[Path]:
    """Write an MR series, unsigned 12 of 16 bit, without text."""
    paths = []
    for number in range(slices):
        ds = _common(patient, MRImageStorage, "MR", series, number + 1)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
        _plane(ds, number, 4.0)
        ds.AcquisitionNumber = 1
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "NONE", ""
        ds.MRAcquisitionType, ds.EchoTime, ds.RepetitionTime, ds.EchoTrainLength = "2D", 15, 550, 1
        ds.MagneticFieldStrength = 1.5
        ds.WindowCenter, ds.WindowWidth = 600, 1200
        signal = np.clip((_body(side, side, number) + 1000) * 0.6, 0, 4095)
        _pixels(ds, np.rint(signal).astype(np.uint16)[None], "MONOCHROME2", 12)
        paths.append(_save(ds, folder))
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
    ds = _common(patient, ComputedRadiographyImageStorage, "CR", series, 1)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    del ds.Laterality  # the chest is not a paired body part
    ds.BodyPartExamined, ds.ViewPosition, ds.PatientOrientation = "CHEST", "PA", ["L", "F"]
    grey = 700 + _noise(rows, columns, 7, 3) + 250 * _ellipse(rows, columns, 0.6, 0.5, 0.3, 0.35)
    lines = patient.lines if text is None else text
    if lines:
        grey = draw_text(grey, lines, (20, 20), 22, 700 + contrast)
    if outliers:
        grey[-3:, -3:] = 4095
    _pixels(ds, np.clip(np.rint(grey), 0, 4095).astype(np.uint16)[None], photometric, 12)
    return _save(ds, folder)


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
    ds = _common(patient, UltrasoundMultiFrameImageStorage, "US", series, 1)
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
            draw_text(_fan(rows, columns, n), lines if n in marked else (), (10, 8), size, BRIGHT).astype(np.uint8)
            for n in range(frames)
        ]
    )
    _store(ds, grey, photometric, UID(syntax), planar)
    return [_save(ds, folder)]


def _store(ds: Dataset, grey: Array, photometric: Photometric, syntax: UID, planar: int) -> None:
    if photometric == "MONOCHROME1":
        _pixels(ds, 255 - grey, photometric)
    elif photometric == "MONOCHROME2":
        _pixels(ds, grey, photometric)
    elif photometric == "PALETTE COLOR":
        _palette(ds, grey)
    else:
        _colour(ds, grey, photometric, planar)
    if syntax in (JPEGBaseline8Bit, JPEG2000Lossless):
        _jpeg(ds, grey, photometric, syntax)
    elif syntax.is_compressed:
        ds.compress(syntax, generate_instance_uid=False)


def _tint(grey: Array) -> Array:
    """RGB with a slight tint, so that a wrong colour space shows."""
    return np.stack([grey, (grey * 0.9).astype(np.uint8), (grey * 0.7).astype(np.uint8)], axis=-1)


def _colour(ds: Dataset, grey: Array, photometric: str, planar: int) -> None:
    rgb = _tint(grey)
    if photometric == "RGB":
        _pixels(ds, rgb, "RGB")
        if planar:
            ds.PlanarConfiguration = 1
            ds.PixelData = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).tobytes()
        return
    ybr = np.stack([np.asarray(Image.fromarray(frame).convert("YCbCr")) for frame in rgb])
    _pixels(ds, ybr, photometric)
    if photometric == "YBR_FULL_422":
        # Two pixels share their chroma: Y1 Y2 Cb Cr (PS3.3 section C.7.6.3.1.2).
        packed = np.stack([ybr[:, :, ::2, 0], ybr[:, :, 1::2, 0], ybr[:, :, ::2, 1], ybr[:, :, ::2, 2]], axis=-1)
        ds.PixelData = packed.tobytes()


def _palette(ds: Dataset, grey: Array) -> None:
    """Palette whose darkest colour is index 7, not 0."""
    order = np.roll(np.arange(256), 7)  # entry i has the colour of grey order[i]
    index = np.argsort(order)[grey].astype(np.uint8)
    _pixels(ds, index, "PALETTE COLOR")
    for colour, gain in (("Red", 1.0), ("Green", 0.9), ("Blue", 0.7)):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        values = np.rint(order * gain * 257).astype("<u2")
        setattr(ds, f"{colour}PaletteColorLookupTableData", values.tobytes())


def _jpeg(ds: Dataset, grey: Array, photometric: str, syntax: UID) -> None:
    """Compress grey or RGB with JPEG baseline (half the chroma) or with JPEG 2000, losing nothing."""
    lossy = syntax == JPEGBaseline8Bit
    grey_kind = photometric.startswith("MONOCHROME")
    encoded = []
    for frame in grey if grey_kind else _tint(grey):
        stream = io.BytesIO()
        picture = Image.fromarray(255 - frame if photometric == "MONOCHROME1" else frame)
        if lossy:
            picture.save(stream, "JPEG", quality=90, subsampling="4:2:2")
        else:
            picture.save(stream, "JPEG2000", no_jp2=True, irreversible=False, mct=0 if grey_kind else 1)
        encoded.append(stream.getvalue())
    raw_size = len(ds.PixelData)
    ds.PixelData = encapsulate(encoded)
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    if not grey_kind:
        ds.PhotometricInterpretation = "YBR_FULL_422" if lossy else "YBR_RCT"
    if lossy:
        ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
        ds.LossyImageCompressionRatio = f"{raw_size / sum(map(len, encoded)):.2f}"


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
    ds = _common(patient, SecondaryCaptureImageStorage, "OT", series, 1)
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ConversionType, ds.PatientOrientation = "WSD", ""
    if declared:
        ds.BurnedInAnnotation = declared
    grey = np.clip(_fan(rows, columns, 99) * 0.6, 0, 200)
    lines = (*patient.lines, f"Acc {patient.accession}") if text is None else text
    grey = draw_text(grey, lines, (300, 12), 18, BRIGHT)
    _pixels(ds, _tint(grey.astype(np.uint8))[None], "RGB")
    return _save(ds, folder)


def presentation_state(folder: Path, patient: Patient, image: Path, *, series: int = 90) -> Path:
    """Write a grayscale presentation state for an image; its label names the patient."""
    from pydicom import dcmread  # noqa: PLC0415 - only here

    shown = dcmread(image, stop_before_pixels=True)
    ds = _common(patient, GrayscaleSoftcopyPresentationStateStorage, "PR", series, 1)
    ds.PresentationCreationDate, ds.PresentationCreationTime = patient.study_date, patient.study_time
    ds.ContentLabel, ds.ContentDescription = "MARKED", f"For {patient.name.split('^')[0]}"
    ds.ContentCreatorName = patient.operator
    reference = _reference(shown)
    in_series = Dataset()
    in_series.SeriesInstanceUID = shown.SeriesInstanceUID
    in_series.ReferencedImageSequence = [reference]
    ds.ReferencedSeriesSequence = [in_series]
    area = Dataset()
    area.ReferencedImageSequence = [reference]
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [shown.Columns, shown.Rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelAspectRatio = [1, 1]
    ds.DisplayedAreaSelectionSequence = [area]
    ds.PresentationLUTShape = "IDENTITY"
    return _save(ds, folder)


def _reference(shown: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = shown.SOPClassUID
    reference.ReferencedSOPInstanceUID = shown.SOPInstanceUID
    return reference


def report(folder: Path, patient: Patient, *, series: int = 91) -> Path:
    """Write a basic text structured report whose text names the patient."""
    ds = _common(patient, BASIC_TEXT_SR, "SR", series, 1)
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.PerformedProcedureCodeSequence = []
    ds.CompletionFlag, ds.VerificationFlag = "PARTIAL", "UNVERIFIED"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = [_code("126000", "DCM", "Imaging Measurement Report")]
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
    finding.ConceptNameCodeSequence = [_code("121071", "DCM", "Finding")]
    given = patient.name.split("^")[1]
    finding.TextValue = (
        f"{given} ({patient.id}) was seen on referral of Dr {patient.referring_physician.split('^')[0]}."
    )
    ds.ContentSequence = [finding]
    return _save(ds, folder)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def study(folder: Path, patient: Patient, *, slices: int = 20) -> list[Path]:
    """Write one study with everything: CT, MR, ultrasound, screenshot, presentation state and report."""
    paths = ct_series(folder, patient, slices)
    paths += mr_series(folder, patient)
    paths += [*ultrasound_cine(folder, patient), secondary_capture(folder, patient)]
    return [*paths, presentation_state(folder, patient, paths[0]), report(folder, patient)]
