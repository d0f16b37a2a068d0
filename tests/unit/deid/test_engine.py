"""What the engine does beyond the table's rows."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import BasicTextSRStorage, CTImageStorage

from airlock.deid.instance import check_identity
from airlock.deid.profile import Profile
from airlock.errors import InstanceNotUnderstood, PolicyError
from tests.synthetic import ct
from tests.unit.deid.conftest import Apply


def nested(depth: int, innermost: Dataset) -> Dataset:
    """Wrap a dataset in sequences that no table lists."""
    for _ in range(depth):
        outer = Dataset()
        outer.SharedFunctionalGroupsSequence = [innermost]
        innermost = outer
    return innermost


def test_a_thousand_levels_are_cleaned(apply: Apply) -> None:
    inner = Dataset()
    inner.PatientName, inner.OperatorsName = "Nobody^Special", "Nobody^Else"
    ds = nested(3000, inner)
    apply(ds)
    for _ in range(3000):
        ds = ds.SharedFunctionalGroupsSequence[0]
    assert not ds.PatientName
    assert "OperatorsName" not in ds


def test_private_group_length_command_and_unknown_elements_go(apply: Apply) -> None:
    ds = ct()
    for tag, vr, value in ((0x00080000, "UL", 8), (0x00110010, "LO", "X"), (0x00189F99, "LO", "unknown"),
                           (0x60003000, "OB", b"12"), (0x60000010, "US", 3), (0x50003000, "OB", b"12"),
                           (0x00000110, "US", 1), (0xFFFCFFFC, "OB", b"00"), (0xFFFAFFFA, "SQ", [])):  # fmt: skip
        ds.add_new(tag, vr, value)
    apply(ds)
    left = [tag for tag in ds if tag.tag.is_private or tag.tag.group in (0, 0x5000, 0x6000, 0xFFFA, 0xFFFC)]
    assert left == []
    assert 0x00189F99 not in ds
    assert 0x00080000 not in ds


@pytest.mark.parametrize(
    ("vr", "value"), [("PN", "Zebedee^Q"), ("OB", b"Zebedee"), ("UN", b"Zebedee"), ("DA", "20200112"), ("SQ", [])]
)
def test_a_kept_attribute_in_another_vr_is_not_kept(apply: Apply, vr: str, value: Any) -> None:
    ds = ct()
    ds.add(DataElement(0x00189004, vr, value))  # ContentQualification, CS
    apply(ds)
    assert not ds.get(0x00189004) or ds[0x00189004].value in ("ANONYMIZED", "", None, "19700101")


def test_persons_dates_and_uids_that_the_table_does_not_list(apply: Apply) -> None:
    ds = ct()
    ds.EvaluatorName, ds.ExpiryDate, ds.TargetFrameOfReferenceUID = "Doe^Jane", "20200101", "1.2.3.4"
    apply(ds)
    assert "EvaluatorName" not in ds
    assert "ExpiryDate" not in ds
    assert ds.TargetFrameOfReferenceUID.startswith("2.25.")


def test_structural_uids_stay(apply: Apply) -> None:
    ds = ct()
    ds.FrameOfReferenceUID = "1.2.840.10008.1.4.1.1"
    item = Dataset()
    item.CodingSchemeUID, item.ContextUID = "1.2.276.1.1.1", "1.2.840.10008.6.1.2"
    ds.CodingSchemeIdentificationSequence = [item]
    ds.RelatedGeneralSOPClassUID = "1.2.999.1"
    apply(ds)
    assert (ds.SOPClassUID, ds.FrameOfReferenceUID) == (CTImageStorage, "1.2.840.10008.1.4.1.1")
    assert (item.CodingSchemeUID, item.ContextUID) == ("1.2.276.1.1.1", "1.2.840.10008.6.1.2")
    assert ds.RelatedGeneralSOPClassUID == "1.2.999.1"


def test_the_uid_of_an_instance_is_mapped_wherever_it_stands(apply: Apply) -> None:
    ds = ct()
    ds.RelatedGeneralSOPClassUID = [str(ds.SOPInstanceUID), "1.2.999.1"]
    apply(ds)
    assert ds.RelatedGeneralSOPClassUID == [ds.SOPInstanceUID, "1.2.999.1"]


def test_references_follow_what_they_refer_to(apply: Apply) -> None:
    one, two = ct(1), ct(2)
    apply(one)
    apply(two)
    assert two.ReferencedImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert one.FrameOfReferenceUID == two.FrameOfReferenceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID


def test_identifiers_are_cut_from_what_is_kept(apply: Apply) -> None:
    ds = ct()
    ds.SoftwareVersions, ds.ConvolutionKernel = "V1 Quillfeather, Zebedee", "QF7731942"
    ds.NumberOfFrames = "7731942"
    ds.PatientID = "7731942"
    apply(ds)
    assert ds.ManufacturerModelName == "Scanner of"
    assert ds.SoftwareVersions == "V1"
    assert "7731942" not in f"{ds.get('ConvolutionKernel')} {ds.get('NumberOfFrames')}"
    assert ds.ImageType == ["ORIGINAL", "PRIMARY", "AXIAL"]


def test_dates_move_together_and_unreadable_ones_are_emptied(apply: Apply) -> None:
    ds = ct(DateOfSecondaryCapture="yesterday")
    outcome = apply(ds, "retain_longitudinal_modified_dates")
    assert (ds.StudyDate, ds.AcquisitionDate, ds.ContentDate) == ("20191224", "20191225", "20191226")
    assert ds.AcquisitionDateTime == "20191225101114.500000+0100"
    assert (ds.StudyTime, ds.AcquisitionTime) == ("101112", "101114.5")
    assert (ds.DateOfSecondaryCapture, outcome.unreadable_dates) == (None, 1)
    assert not ds.PatientBirthDate


def test_descriptions_keep_known_words(apply: Apply) -> None:
    ds = ct()
    apply(ds, "clean_descriptors")
    assert (ds.StudyDescription, ds.SeriesDescription) == ("CT Chest for", "Thorax axial 5.0")
    basic = ct()
    apply(basic)
    assert "StudyDescription" not in basic


def test_an_encapsulated_document_is_held(apply: Apply) -> None:
    ds = ct(EncapsulatedDocument=b"%PDF-1.7 Zebedee")
    with pytest.raises(InstanceNotUnderstood, match="encapsulated document") as caught:
        apply(ds)
    assert "Zebedee" not in str(caught.value)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def content(kind: str, concept: Dataset, **values: Any) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = "CONTAINS", kind, [concept]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def report() -> Dataset:
    ds = ct()
    ds.SOPClassUID = BasicTextSRStorage
    measured = Dataset()
    measured.NumericValue = "81"
    ds.ContentSequence = Sequence(
        [
            content("TEXT", code("121071", "DCM", "Finding"), TextValue="Zebedee has a lesion in the lung of Olga"),
            content("PNAME", code("121008", "DCM", "Person Observer Name"), PersonName="Wolkenkuck^Gundula"),
            content("DATE", code("111018", "DCM", "Content Date"), Date="20200112"),
            content("TEXT", code("121022", "DCM", "Accession Number"), TextValue="ACC5550199"),
            content("NUM", code("112039", "DCM", "Tracking"), MeasuredValueSequence=[measured]),
            content("UIDREF", code("110180", "DCM", "Study Instance UID"), UID="1.2.276.0.7230010.3.1.2.100"),
        ]
    )
    return ds


def test_a_report_says_nothing_about_persons(apply: Apply) -> None:
    ds = report()
    apply(ds)
    text, person, date, number, uid = ds.ContentSequence
    assert (text.TextValue, person.PersonName, date.Date) == ("ANONYMIZED", "ANONYMIZED", "19700101")
    assert number.MeasuredValueSequence[0].NumericValue == 81
    assert ds.StudyInstanceUID == uid.UID
    assert "ACC5550199" not in str(ds)


def test_a_report_with_options(apply: Apply) -> None:
    ds = report()
    apply(ds, "clean_descriptors", "retain_longitudinal_modified_dates")
    assert ds.ContentSequence[0].TextValue == "has lesion in the lung of"
    assert ds.ContentSequence[2].Date == "20191226"


def test_items_referred_to_by_position_stay_where_they_are(apply: Apply) -> None:
    ds = report()
    ds.ContentSequence[0].ReferencedContentItemIdentifier = [1, 5]
    apply(ds)
    assert len(ds.ContentSequence) == 6
    assert ds.ContentSequence[3].TextValue == "ANONYMIZED"


def test_meanings_of_a_sites_own_codes_are_cleaned(apply: Apply) -> None:
    ds = ct()
    ds.ReasonForVisitCodeSequence = [code("1", "99SITE", "lung of Olga"), code("39607008", "SCT", "Lung structure")]
    apply(ds, "clean_descriptors")
    assert [item.CodeMeaning for item in ds.ReasonForVisitCodeSequence] == ["lung of", "Lung structure"]


@pytest.mark.parametrize(
    ("vr", "tag", "value", "kept"),
    [
        ("DS", 0x00180050, b"2.5 ", True),
        ("DS", 0x00180050, b"2,5 ", True),
        ("DS", 0x00180050, b"-1.5e-3\\NaN ", True),
        ("DS", 0x00180050, b"1.#IND00", True),
        ("DS", 0x00180050, b"of Olga ", False),
        ("DS", 0x00180050, b"2.5\\Olga", False),
        ("IS", 0x00201002, b"12", True),
        ("IS", 0x00201002, b"of Olga ", False),
        ("AT", 0x00280009, b"\x10\0\x20\0", True),
        ("AT", 0x00280009, b"Quillfeather", False),
    ],
)
def test_text_where_a_number_belongs_goes(apply: Apply, vr: str, tag: int, value: bytes, kept: bool) -> None:
    ds = ct()
    ds[tag] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)
    apply(ds)
    left = ds.get_item(tag).value if tag in ds else None
    assert left == value if kept else not left or b"lga" not in left


@pytest.mark.parametrize("animal", [False, True])
def test_who_is_responsible_is_asked_of_animals_only(apply: Apply, animal: bool) -> None:
    ds = ct(ResponsiblePerson="Quillfeather^Olga", ResponsibleOrganization="Zoo of Zebedee")
    ds.ResponsiblePersonRole = "OWNER"
    if animal:
        ds.PatientSpeciesDescription = "Panthera leo"
    apply(ds)
    assert ("ResponsiblePerson" in ds, "ResponsibleOrganization" in ds) == (animal, animal)
    assert not ds.get("ResponsiblePerson")
    # It may not stand beside a person without a value (PS3.3 table C.7-1).
    assert "ResponsiblePersonRole" not in ds


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(PolicyError, match="contradict"):
        Profile("2026d", ("retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"))
    with pytest.raises(PolicyError, match="not supported"):
        Profile("2026d", ("clean_everything",))


def test_what_is_no_uid_does_not_stay_where_class_uids_do(apply: Apply) -> None:
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.PatientName = "Quillfeather^Zed"
    ds.add_new(0x00340003, "OB", b"Quillfeather")
    ds.add_new(0x00081150, "UI", "Quillfeather")
    ds.add_new(0x00083002, "UI", "1.2.3.4")
    apply(ds)
    assert 0x00340003 not in ds
    assert ds[0x00081150].value.startswith("2.25.")
    assert ds[0x00083002].value == "1.2.3.4"


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.Quillfeather", "1.2.840.10008.5.1.4.1.1.2\x96"])
def test_a_class_that_is_no_uid_is_held(sop_class: str) -> None:
    with pytest.raises(InstanceNotUnderstood, match="SOPClassUID"):
        check_identity(ct(1, SOPClassUID=sop_class))
