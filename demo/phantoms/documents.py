"""Objects without pixels: a presentation state and a report, both naming the patient."""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import UID, GrayscaleSoftcopyPresentationStateStorage

from demo.phantoms.dataset import common, save
from demo.phantoms.patient import Patient

BASIC_TEXT_SR = UID("1.2.840.10008.5.1.4.1.1.88.11")


def presentation_state(folder: Path, patient: Patient, image: Path, *, series: int = 90) -> Path:
    """Write a grayscale presentation state for an image; its label names the patient."""
    shown = dcmread(image, stop_before_pixels=True)
    ds = common(patient, GrayscaleSoftcopyPresentationStateStorage, "PR", series, 1)
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
    return save(ds, folder)


def _reference(shown: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = shown.SOPClassUID
    reference.ReferencedSOPInstanceUID = shown.SOPInstanceUID
    return reference


def report(folder: Path, patient: Patient, *, series: int = 91) -> Path:
    """Write a basic text structured report whose text names the patient."""
    ds = common(patient, BASIC_TEXT_SR, "SR", series, 1)
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
    return save(ds, folder)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
