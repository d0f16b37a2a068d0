"""Studies whose instances refer to each other, as PACS hold them: PET/CT, enhanced MR with what was made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    CTImageStorage,
    EnhancedMRImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    PositronEmissionTomographyImageStorage,
    SegmentationStorage,
)

from demo.phantoms.dataset import common, save
from demo.phantoms.patient import Patient, invent_uid

PATIENT = replace(Patient(), study_date="20260417", study_time="231500")
NEXT_DAY = "20260418"


def later(days_date: str, number: int) -> Patient:
    """Return the same patient with another study."""
    return replace(
        PATIENT,
        study_date=days_date,
        accession=f"ACC2611{number:04}",
        study_id=f"ST-{number}",
        study_uid=invent_uid("study", number),
    )


def small(ds: Dataset) -> Dataset:
    """Give an image 8 x 8 pixels."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 16, 12, 11, 0
    ds.PixelData = bytes(128 * int(ds.get("NumberOfFrames", 1)))
    ds["PixelData"].VR = "OW"
    return ds


def described(ds: Dataset) -> Dataset:
    """Add what patients and studies have in common, beyond what every phantom has."""
    ds.PatientAge, ds.PatientSize, ds.PatientWeight = "065Y", "1.71", "68"
    ds.PatientComments, ds.EthnicGroup, ds.PatientBirthTime = "calls herself Ingrid", "none", "031500"
    ds.PhysiciansOfRecord, ds.AdmittingDiagnosesDescription = "Haugland^Torbjorn", "Cough"
    ds.ProcedureCodeSequence, referenced = [code("36643-5", "LN", "Chest")], Dataset()
    referenced.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    referenced.ReferencedSOPInstanceUID = invent_uid(ds.StudyInstanceUID, "managed")
    ds.ReferencedStudySequence = [referenced]
    ds.TimezoneOffsetFromUTC, ds.OtherPatientIDs = "+0200", "OLD-99120"
    ds.IssuerOfPatientID, ds.PatientIdentityRemoved = "SOLVIK", "NO"
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a code item (PS3.3 table 8.8-1)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def plane(ds: Dataset, number: int) -> None:
    """Place a slice in the study's one frame of reference."""
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = invent_uid(ds.StudyInstanceUID, "frame"), ""
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.PatientPosition = [1, 1], 1, "HFS"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]


def ct(patient: Patient, series: int, number: int) -> Dataset:
    """Return a CT slice."""
    ds = described(common(patient, CTImageStorage, "CT", series, number))
    plane(ds, number)
    ds.KVP, ds.AcquisitionNumber, ds.RescaleIntercept, ds.RescaleSlope = 120, 1, -1024, 1
    return small(ds)


def pet(patient: Patient, number: int, **more: Any) -> Dataset:
    """Return a PET slice, acquired after midnight of the day of the injection."""
    ds = described(common(patient, PositronEmissionTomographyImageStorage, "PT", 5, number))
    plane(ds, number)
    ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = NEXT_DAY
    ds.SeriesTime, ds.AcquisitionTime, ds.ContentTime = "003000", f"0030{number:02}.250000", "010000"
    ds.SeriesType, ds.Units, ds.CountsSource = ["WHOLE BODY", "IMAGE"], "BQML", "EMISSION"
    ds.CorrectedImage, ds.DecayCorrection = ["DECY", "ATTN"], "START"
    ds.FrameReferenceTime, ds.ActualFrameDuration = "120000", "240000"
    ds.ImageIndex, ds.NumberOfSlices, ds.CollimatorType = number, 3, "NONE"
    ds.DecayFactor, ds.RescaleIntercept, ds.RescaleSlope = "1.02", 0, 1
    drug = Dataset()
    drug.RadiopharmaceuticalStartTime = "233000.00"
    drug.RadiopharmaceuticalStartDateTime = "20260417233000.000000+0200"
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "370000000", "6586.2"
    drug.RadionuclidePositronFraction = "0.97"
    drug.RadionuclideCodeSequence = [code("C-111A1", "SRT", "18^Fluorine")]
    ds.RadiopharmaceuticalInformationSequence = [drug]
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return small(ds)


def reference(ds: Dataset, **more: Any) -> Dataset:
    """Return an item that refers to an instance."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def in_series(*shown: Dataset) -> Dataset:
    """Return an item that refers to instances of one series."""
    item = Dataset()
    item.SeriesInstanceUID = shown[0].SeriesInstanceUID
    item.ReferencedSOPSequence = [reference(ds) for ds in shown]
    return item


def in_study(*series: Dataset, uid: str) -> Dataset:
    """Return an item of the evidence of a document."""
    item = Dataset()
    item.StudyInstanceUID, item.ReferencedSeriesSequence = uid, list(series)
    return item


def enhanced_mr(patient: Patient) -> Dataset:
    """Return an enhanced MR object of two frames."""
    ds = described(common(patient, EnhancedMRImageStorage, "MR", 7, 1))
    ds.NumberOfFrames, ds.ImageType = 2, ["ORIGINAL", "PRIMARY", "M", "NONE"]
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = invent_uid(ds.StudyInstanceUID, "frame"), ""
    ds.AcquisitionDateTime = f"{patient.study_date}{patient.study_time}"
    frames = []
    for number in (1, 2):
        frame, content, position = Dataset(), Dataset(), Dataset()
        content.FrameAcquisitionDateTime = content.FrameReferenceDateTime = f"{patient.study_date}2315{number:02}"
        content.FrameAcquisitionDuration, content.FrameAcquisitionNumber = 33.5, number
        position.ImagePositionPatient = [0, 0, number]
        frame.FrameContentSequence, frame.PlanePositionSequence = [content], [position]
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence, ds.SharedFunctionalGroupsSequence = frames, [Dataset()]
    return small(ds)


def presentation(patient: Patient, shown: Dataset) -> Dataset:
    """Return a presentation state that shows an image."""
    ds = described(common(patient, GrayscaleSoftcopyPresentationStateStorage, "PR", 8, 1))
    ds.PresentationCreationDate, ds.PresentationCreationTime = patient.study_date, "231900"
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "MARKED", "For Fjeldstad", patient.operator
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = shown.SeriesInstanceUID, [reference(shown)]
    ds.ReferencedSeriesSequence, ds.PresentationLUTShape = [series], "IDENTITY"
    return ds


def document(patient: Patient, shown: list[Dataset], *, keys: bool) -> Dataset:
    """Return a report, or a key object selection, about images of one series."""
    kind, modality = (KeyObjectSelectionDocumentStorage, "KO") if keys else (ComprehensiveSRStorage, "SR")
    ds = described(common(patient, kind, modality, 10 if keys else 9, 1))
    ds.ReferencedPerformedProcedureStepSequence = []
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    title = code("113000", "DCM", "Of Interest") if keys else code("126000", "DCM", "Imaging Measurement Report")
    ds.ConceptNameCodeSequence = [title]
    ds.CurrentRequestedProcedureEvidenceSequence = [in_study(in_series(*shown), uid=ds.StudyInstanceUID)]
    items = []
    for image in shown:
        item = Dataset()
        item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
        item.ReferencedSOPSequence = [reference(image)]
        items.append(item)
    if not keys:
        ds.CompletionFlag, ds.VerificationFlag, ds.PerformedProcedureCodeSequence = "PARTIAL", "UNVERIFIED", []
        finding = Dataset()
        finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
        finding.ConceptNameCodeSequence = [code("121071", "DCM", "Finding")]
        finding.TextValue = "Ingrid Fjeldstad has a lesion"
        items.append(finding)
    ds.ContentSequence = items
    return ds


def segmentation(patient: Patient, source: Dataset) -> Dataset:
    """Return a segmentation of an image."""
    ds = described(common(patient, SegmentationStorage, "SEG", 11, 1))
    ds.ImageType, ds.SegmentationType = ["DERIVED", "PRIMARY"], "BINARY"
    ds.NumberOfFrames, ds.FrameOfReferenceUID = 1, source.FrameOfReferenceUID
    ds.PositionReferenceIndicator = ""
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "LESION", "For Fjeldstad", patient.operator
    ds.ReferencedSeriesSequence = [Dataset()]
    ds.ReferencedSeriesSequence[0].SeriesInstanceUID = source.SeriesInstanceUID
    ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence = [reference(source)]
    made, frame = Dataset(), Dataset()
    made.SourceImageSequence = [reference(source, ReferencedFrameNumber=1)]
    frame.DerivationImageSequence = [made]
    ds.PerFrameFunctionalGroupsSequence = [frame]
    return small(ds)


def write_studies(folder: Path) -> list[Path]:
    """Write three studies of one patient."""
    first, second = PATIENT, later("20260601", 3)
    third = later("20250102", 4)
    objects = [ct(first, series, number) for series in (1, 2, 3) for number in (1, 2, 3)]
    objects += [pet(second, number) for number in (1, 2, 3)] + [ct(second, 4, number) for number in (1, 2)]
    mr = enhanced_mr(third)
    objects += [mr, presentation(third, mr), segmentation(third, mr)]
    objects += [document(third, [mr], keys=False), document(third, [mr], keys=True)]
    return [save(ds, folder / str(ds.StudyInstanceUID)[-6:]) for ds in objects]
