"""One change to a good output, of any kind but an identifier, is found; and a good output is good."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from airlock.verify.found import verdict
from tests.synthetic import ct
from tests.unit.verify.conftest import Case, make_case

MakeCase = Callable[..., Case]
MODIFIED, FULL, CLEAN = "retain_longitudinal_modified_dates", "retain_longitudinal_full_dates", "clean_descriptors"
OPTIONS = [
    (), (MODIFIED,), (FULL,), (CLEAN,), ("retain_uids",), (MODIFIED, CLEAN, "retain_device_identity"),
    ("retain_institution_identity", "retain_patient_characteristics"), (FULL, "retain_uids", "retain_device_identity"),
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "basic")
def test_good_outputs_pass(good: MakeCase, options: tuple[str, ...]) -> None:
    problems = good(*options).verify()
    assert list(problems) == ["1", "2", "3"]
    assert not any(problems.values())


def item(**attributes: object) -> Sequence:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return Sequence([ds])


def private(ds: Dataset) -> None:
    ds.private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "harmless")


def private_nested(ds: Dataset) -> None:
    ds.ReferencedImageSequence[0].private_block(0x0009, "MAKER", create=True).add_new(1, "LO", "harmless")


def original_reference(ds: Dataset) -> None:
    ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.276.0.7230010.3.1.5.1"


def no_method(ds: Dataset) -> None:
    del ds.DeidentificationMethodCodeSequence


def pixel_method(ds: Dataset) -> None:
    ds.DeidentificationMethodCodeSequence += item(
        CodeValue="113101", CodingSchemeDesignator="DCM", CodeMeaning="Clean Pixel Data Option"
    )


def short_meta(ds: Dataset) -> None:
    ds.file_meta.ImplementationClassUID = "1.2.3.4"


WRONG: dict[str, tuple[Callable[[Dataset], object], str]] = {
    "X kept": (lambda ds: setattr(ds, "StudyDescription", "CT chest"), "StudyDescription"),
    "X kept, of type 3": (lambda ds: setattr(ds, "PatientComments", "none"), "PatientComments"),
    "X kept, nested": (
        lambda ds: setattr(ds.ReferencedImageSequence[0], "ImageComments", "x"),
        "ImageComments",
    ),
    "X/Z/D kept": (lambda ds: setattr(ds, "OperatorsName", "somebody"), "OperatorsName"),
    "kept, but changed": (lambda ds: setattr(ds, "SliceThickness", 7), "SliceThickness"),
    "kept number changed": (lambda ds: setattr(ds, "BitsStored", 11), "BitsStored"),
    "not kept": (lambda ds: ds.__delattr__("ImageOrientationPatient"), "ImageOrientationPatient"),
    "from nowhere": (lambda ds: setattr(ds, "FilterType", "WEDGE"), "FilterType"),
    "Z kept": (lambda ds: setattr(ds, "PatientSex", "M"), "PatientSex"),
    "Z kept, birth date": (lambda ds: setattr(ds, "PatientBirthDate", "19700101"), "PatientBirthDate"),
    "D kept": (lambda ds: setattr(ds, "ContentDate", "20200112"), "ContentDate"),
    "U kept": (lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.276.0.7230010.3.1.4.300"), "FrameOfReferenceUID"),
    "U kept, nested": (original_reference, "ReferencedSOPInstanceUID"),
    "U no UID": (lambda ds: ds.add_new(0x00200052, "UI", "1.2.x"), "FrameOfReferenceUID"),
    "U a standard's": (lambda ds: setattr(ds, "FrameOfReferenceUID", "1.2.840.10008.1.4.1.1"), "FrameOfReferenceUID"),
    "reference swapped": (
        lambda ds: setattr(ds.ReferencedImageSequence[0], "ReferencedSOPInstanceUID", ds.FrameOfReferenceUID),
        "ReferencedSOPInstanceUID",
    ),
    "reference missing": (
        lambda ds: ds.ReferencedImageSequence[0].__delattr__("ReferencedSOPInstanceUID"),
        "ReferencedSOPInstanceUID",
    ),
    "series UID of its own": (lambda ds: setattr(ds, "SeriesInstanceUID", "2.25.7"), "SeriesInstanceUID"),
    "type 1 empty": (lambda ds: setattr(ds, "Modality", ""), "Modality"),
    "type 2 missing": (lambda ds: ds.__delattr__("PatientBirthDate"), "PatientBirthDate"),
    "private": (private, "(0009,0010)"),
    "private, nested": (private_nested, "(0009,1001)"),
    "curve": (lambda ds: ds.add_new(0x50003000, "OW", bytes(8)), "CurveData"),
    "overlay": (lambda ds: ds.add_new(0x60003000, "OW", bytes(8)), "OverlayData"),
    "signature": (lambda ds: ds.add_new(0xFFFAFFFA, "SQ", item(MACIDNumber=1)), "DigitalSignaturesSequence"),
    "unknown attribute": (lambda ds: ds.add_new(0x00184444, "LO", "x"), "(0018,4444)"),
    "padding": (lambda ds: ds.add_new(0xFFFCFFFC, "OB", bytes(8)), "DataSetTrailingPadding"),
    "preamble": (lambda ds: setattr(ds, "preamble", b"x" * 128), "preamble"),
    "meta of another program": (short_meta, "ImplementationClassUID"),
    "meta with a source": (
        lambda ds: setattr(ds.file_meta, "SourceApplicationEntityTitle", "AE"),
        "SourceApplicationEntityTitle",
    ),
    "meta UID": (
        lambda ds: setattr(ds.file_meta, "MediaStorageSOPInstanceUID", "2.25.9"),
        "MediaStorageSOPInstanceUID",
    ),
    "not marked": (lambda ds: ds.__delattr__("PatientIdentityRemoved"), "PatientIdentityRemoved"),
    "no method": (no_method, "DeidentificationMethodCodeSequence"),
    "method that was not used": (pixel_method, "DeidentificationMethodCodeSequence"),
    "dates": (
        lambda ds: setattr(ds, "LongitudinalTemporalInformationModified", "UNMODIFIED"),
        "LongitudinalTemporalInformationModified",
    ),
    "burned-in text": (lambda ds: setattr(ds, "BurnedInAnnotation", "NO"), "BurnedInAnnotation"),
    "faces": (lambda ds: setattr(ds, "RecognizableVisualFeatures", "NO"), "RecognizableVisualFeatures"),
    "another subject": (lambda ds: setattr(ds, "PatientID", "ONE-002"), "PatientID"),
    "another project": (lambda ds: setattr(ds, "ClinicalTrialProtocolID", "Two"), "ClinicalTrialProtocolID"),
    "another name": (lambda ds: setattr(ds, "PatientName", "ONE-002"), "PatientName"),
    "the input's time point": (lambda ds: setattr(ds, "ClinicalTrialTimePointID", "x"), "ClinicalTrialTimePointID"),
    "the input's site": (lambda ds: setattr(ds, "ClinicalTrialSiteID", "x"), "ClinicalTrialSiteID"),
    "the input's StudyID": (lambda ds: setattr(ds, "StudyID", "S1"), "StudyID"),
    "another class": (lambda ds: setattr(ds, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.4"), "SOPClassUID"),
    "a pixel": (lambda ds: setattr(ds, "PixelData", b"\1" + ds.PixelData[1:]), "PixelData"),
    "fewer pixels": (lambda ds: setattr(ds, "PixelData", ds.PixelData[:-2]), "PixelData"),
    "no pixels": (lambda ds: ds.__delattr__("PixelData"), "PixelData"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_output_is_found(case: MakeCase, name: str) -> None:
    change, attribute = WRONG[name]
    changed = case()
    changed.change(change, 1)
    problems = changed.verify()
    assert attribute in {problem.attribute for problem in problems["2"]}
    assert verdict(problems["2"]) == "fail"
    assert not [
        problem for problem in problems["1"] if problem.attribute not in ("StudyInstanceUID", "SeriesInstanceUID")
    ]


MOVED: dict[str, tuple[Callable[[Dataset], object], str]] = {
    "one date by other days": (lambda ds: setattr(ds, "AcquisitionDate", "20170418"), "AcquisitionDate"),
    "one date not": (lambda ds: setattr(ds, "ContentDate", "20200112"), "ContentDate"),
    "a time of day": (lambda ds: setattr(ds, "ContentTime", "111111"), "ContentTime"),
    "the time of a date and time": (
        lambda ds: setattr(ds, "AcquisitionDateTime", "20170417101115.500000+0100"),
        "AcquisitionDateTime",
    ),
    "a date from nowhere": (lambda ds: setattr(ds, "InstanceCreationDate", "20170417"), "InstanceCreationDate"),
}


@pytest.mark.parametrize("name", MOVED)
def test_dates_move_together(case: MakeCase, name: str) -> None:
    changed = case(MODIFIED)
    ds = pydicom.dcmread(changed.outputs[1])
    assert (ds.AcquisitionDate, ds.AcquisitionTime) == ("20170417", "101114.5")
    change, attribute = MOVED[name]
    changed.change(change, 1)
    assert {problem.attribute for problem in changed.verify()["2"]} == {attribute}


def test_all_dates_of_one_instance_moved_otherwise(case: MakeCase) -> None:
    changed = case(MODIFIED)

    def move(ds: Dataset) -> None:
        for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
            setattr(ds, keyword, str(int(getattr(ds, keyword)) + 1))
        ds.AcquisitionDateTime = "20170418101114.500000+0100"

    changed.change(move, 2)
    problems = changed.verify()
    assert "StudyDate" in {problem.attribute for problem in problems["3"]}
    assert not problems["1"]


def test_cleaned_text_has_only_words_that_may_stay(case: MakeCase) -> None:
    changed = case(CLEAN)
    changed.change(lambda ds: setattr(ds, "SeriesDescription", "Thorax of Mister X, tel 5551234567"))
    assert changed.attributes() == {"SeriesDescription"}


def test_two_uids_that_become_one(case: MakeCase) -> None:
    changed = case()
    other = pydicom.dcmread(changed.outputs[0]).StudyInstanceUID
    for number in range(3):
        changed.change(lambda ds: setattr(ds, "FrameOfReferenceUID", other), number)
    assert changed.attributes() == {"FrameOfReferenceUID"}


def test_outputs_that_changed_places(case: MakeCase) -> None:
    changed = case()
    one, two, _ = changed.outputs
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    problems = changed.verify()
    assert {problem.attribute for problem in problems["1"]} >= {"SOPInstanceUID", "file name"}
    assert {problem.attribute for problem in problems["2"]} >= {"SOPInstanceUID", "file name"}


def test_a_date_that_says_nothing_is_no_original(tmp_path: Path) -> None:
    born = ct(1, PatientBirthDate="19700101", StudyDate="19700101")
    assert not any(make_case(tmp_path / "case", [born]).verify().values())


def test_content_of_reports(tmp_path: Path) -> None:
    def concept(code: str, meaning: str, **more: object) -> Dataset:
        ds = Dataset()
        ds.RelationshipType, ds.ValueType = "CONTAINS", "TEXT"
        ds.ConceptNameCodeSequence = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning=meaning)
        for keyword, value in more.items():
            setattr(ds, keyword, value)
        return ds

    report = ct(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR")
    report.ContentSequence = Sequence(
        [
            concept("121022", "Accession Number", TextValue="a number nobody knows"),
            concept("121071", "Finding", TextValue="a finding nobody knows"),
        ]
    )
    made = make_case(tmp_path / "case", [report])
    assert not any(made.verify().values())

    def leave(ds: Dataset) -> None:
        ds.ContentSequence[-1].TextValue = "a finding nobody knows"

    made.change(leave)
    assert made.attributes() == {"TextValue"}


def test_an_input_that_only_pydicom_reads(case: MakeCase) -> None:
    changed = case()
    source = changed.root / "in" / "1.dcm"
    data = source.read_bytes()
    source.write_bytes(data[data.index(struct.pack("<HH2s", 0x0008, 0x0008, b"CS")) :])
    assert not any(changed.verify().values())
    changed.change(lambda ds: setattr(ds, "SeriesDescription", "Quillfeather"))
    assert changed.attributes() == {"SeriesDescription"}


def test_what_would_be_removed_and_an_object_must_have_is_empty(tmp_path: Path) -> None:
    report = ct(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", Modality="SR", BurnedInAnnotation="ZQUILL")
    report.RecognizableVisualFeatures = "ZQUILL"
    report.ReferencedRequestSequence = item(RequestedProcedureID="RP-1", StudyInstanceUID="1.2.3")
    made = make_case(tmp_path / "case", [report])
    output = pydicom.dcmread(made.outputs[0])
    assert output.ReferencedRequestSequence[0].RequestedProcedureID == ""
    assert not any(made.verify().values())
    made.change(lambda ds: setattr(ds.ReferencedRequestSequence[0], "RequestedProcedureID", "RP-2"))
    assert made.attributes() == {"RequestedProcedureID"}
