"""Items that lie alike are judged attribute by attribute, and nothing is found in them that is not found in each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from airlock.verify import inspect, source
from airlock.verify.place import Place
from airlock.verify.rows import Row, Rows
from bench.headers import enhanced_mr
from demo.phantoms import Patient
from tests.unit.verify.conftest import Case, make_case

FRAMES, WHICH = 12, 7
PATIENT = Patient.invent(5)
Change = Callable[[Dataset], object]


@pytest.fixture(autouse=True)
def nothing_read() -> None:
    """Begin as a process does that has read nothing."""
    inspect._readers.cache_clear()
    source.sources.cache_clear()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("enhanced") / "case", [enhanced_mr(PATIENT, FRAMES)])


@pytest.fixture
def made(unchanged: Case, tmp_path: Path) -> Case:
    return unchanged.copy(tmp_path / "case")


def content(frame: Dataset) -> Dataset:
    return frame.FrameContentSequence[0]


def reference(frame: Dataset) -> Dataset:
    return frame.DerivationImageSequence[0].ReferencedImageSequence[0]


def twice(frame: Dataset, keyword: str) -> None:
    sequence = frame[keyword].value
    frame[keyword].value = Sequence([sequence[0], sequence[0]])


# What one must have there, the table of types does not say of all; where nothing is found, neither way may find it.
FAULTS: dict[str, tuple[Change, str]] = {
    "a name": (lambda f: setattr(content(f), "StackID", PATIENT.name.split("^")[0][:16]), "StackID"),
    "a value that is another": (lambda f: setattr(content(f), "InStackPositionNumber", 99), "InStackPositionNumber"),
    "no value": (lambda f: setattr(f.PlanePositionSequence[0], "ImagePositionPatient", None), "ImagePositionPatient"),
    "no value, where there may be none": (lambda f: setattr(content(f), "DimensionIndexValues", None), ""),
    "a date that was there": (
        lambda f: setattr(content(f), "FrameReferenceDateTime", f"{PATIENT.study_date}101530.000007"),
        "FrameReferenceDateTime",
    ),
    "another date": (
        lambda f: setattr(content(f), "FrameAcquisitionDateTime", "20010203101530"),
        "",
    ),
    "something more": (lambda f: setattr(content(f), "FrameComments", "seen"), "FrameComments"),
    "something less": (lambda f: delattr(f.PlanePositionSequence[0], "ImagePositionPatient"), ""),
    "something less that may be": (lambda f: delattr(content(f), "TemporalPositionIndex"), ""),
    "a sequence less": (lambda f: delattr(f, "PlanePositionSequence"), ""),
    "an item more": (lambda f: twice(f, "PlanePositionSequence"), "PlanePositionSequence"),
    "no item": (lambda f: setattr(f, "PlanePositionSequence", Sequence([])), ""),
    "a number in the place of another": (
        lambda f: setattr(f.PlanePositionSequence[0], "ImagePositionPatient", [1, 2, 3]),
        "ImagePositionPatient",
    ),
    "a private element": (lambda f: content(f).add_new(0x00111001, "LO", "seen"), "(0011,1001)"),
    "an overlay": (lambda f: content(f).add_new(0x60003000, "OW", b"\0\1"), "OverlayData"),
    "a UID that is none": (
        lambda f: setattr(reference(f), "ReferencedSOPInstanceUID", "seen"),
        "ReferencedSOPInstanceUID",
    ),
    "two UIDs": (
        lambda f: setattr(reference(f), "ReferencedSOPInstanceUID", ["2.25.7", "2.25.8"]),
        "ReferencedSOPInstanceUID",
    ),
    "another class": (lambda f: setattr(reference(f), "ReferencedSOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), ""),
    "a UID more": (lambda f: setattr(content(f), "DimensionOrganizationUID", "2.25.7"), "DimensionOrganizationUID"),
    "text in the place of a number": (
        lambda f: content(f).add_new(0x00189220, "LO", PATIENT.id),
        "FrameAcquisitionDuration",
    ),
    "a sequence in the place of text": (
        lambda f: content(f).add_new(0x00209056, "SQ", [Dataset()]),
        "StackID",
    ),
}


def both_ways(made: Case, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Verify with items judged together, and with each judged alone; return the attributes of the problems."""
    together = made.verify()
    with monkeypatch.context() as patched:
        patched.setattr(Rows, "of", lambda *_: None)
        assert made.verify() == together
    return {problem.attribute for found in together.values() for problem in found}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_item_of_many_is_found(fault: str, made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    change, attribute = FAULTS[fault]
    made.change(lambda ds: change(ds.PerFrameFunctionalGroupsSequence[WHICH]))
    found = both_ways(made, monkeypatch)
    assert attribute in found if attribute else not found


def everywhere(ds: Dataset, change: Change) -> None:
    for frame in ds.PerFrameFunctionalGroupsSequence:
        change(frame)


def test_a_fault_in_items_that_are_all_the_same_is_found(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    made.change(lambda ds: everywhere(ds, lambda f: setattr(f.PixelMeasuresSequence[0], "PixelSpacing", [2, 2])))
    assert "PixelSpacing" in both_ways(made, monkeypatch)


def test_a_name_that_was_kept_in_one_item_is_found(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    change, attribute = FAULTS["a name"]
    for path in (made.root / "in" / "1.dcm", *made.outputs):
        ds = pydicom.dcmread(path)
        change(ds.PerFrameFunctionalGroupsSequence[WHICH])
        ds.save_as(path)
    assert attribute in both_ways(made, monkeypatch)


def test_a_value_that_no_search_finds_is_replaced_in_every_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = enhanced_mr(PATIENT, FRAMES)
    content(ds.PerFrameFunctionalGroupsSequence[WHICH]).FrameReferenceDateTime = "2026"
    made = make_case(tmp_path / "case", [ds])
    assert not both_ways(made, monkeypatch)
    made.change(
        lambda ds: setattr(content(ds.PerFrameFunctionalGroupsSequence[WHICH]), "FrameReferenceDateTime", "2026")
    )
    assert "FrameReferenceDateTime" in both_ways(made, monkeypatch)


def test_a_reference_that_all_items_lost_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = enhanced_mr(PATIENT, FRAMES)
    reference(ds.PerFrameFunctionalGroupsSequence[WHICH]).ReferencedSOPInstanceUID = ds.SOPInstanceUID
    made = make_case(tmp_path / "case", [ds])
    assert not both_ways(made, monkeypatch)
    made.change(lambda ds: everywhere(ds, lambda f: delattr(reference(f), "ReferencedSOPInstanceUID")))
    assert "ReferencedSOPInstanceUID" in both_ways(made, monkeypatch)


def test_what_one_of_many_items_must_have_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = enhanced_mr(PATIENT, FRAMES)
    ds.ReferencedImageSequence = Sequence([reference(frame) for frame in ds.PerFrameFunctionalGroupsSequence])
    made = make_case(tmp_path / "case", [ds])
    assert not both_ways(made, monkeypatch)
    made.change(lambda ds: setattr(ds.ReferencedImageSequence[WHICH], "ReferencedSOPInstanceUID", ""))
    assert "ReferencedSOPInstanceUID" in both_ways(made, monkeypatch)


def test_private_elements_of_another_creator_in_one_item_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = enhanced_mr(PATIENT, FRAMES)
    everywhere(ds, lambda f: f.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(3, "FL", 800.0))
    made = make_case(tmp_path / "case", [ds], ("retain_safe_private",))
    assert not both_ways(made, monkeypatch)
    for path in (made.root / "in" / "1.dcm", *made.outputs):
        ds = pydicom.dcmread(path)
        ds.PerFrameFunctionalGroupsSequence[WHICH][0x20010010].value = "SOMEBODY ELSE"
        ds.save_as(path)
    assert "(2001,1003)" in both_ways(made, monkeypatch)


def test_an_original_uid_in_one_item_is_found(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    original = pydicom.dcmread(made.root / "in" / "1.dcm").PerFrameFunctionalGroupsSequence[WHICH]
    uid = reference(original).ReferencedSOPInstanceUID
    made.change(
        lambda ds: setattr(reference(ds.PerFrameFunctionalGroupsSequence[WHICH]), "ReferencedSOPInstanceUID", uid)
    )
    assert "ReferencedSOPInstanceUID" in both_ways(made, monkeypatch)


def test_a_uid_that_stands_for_two_is_found(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def swap(ds: Dataset) -> None:
        one, other = (reference(ds.PerFrameFunctionalGroupsSequence[number]) for number in (WHICH, WHICH + 1))
        one.ReferencedSOPInstanceUID = other.ReferencedSOPInstanceUID

    made.change(swap)
    assert "ReferencedSOPInstanceUID" in both_ways(made, monkeypatch)


def test_a_character_set_in_one_item_is_minded(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    name = PATIENT.name.split("^")[0]

    def change(ds: Dataset) -> None:
        item = content(ds.PerFrameFunctionalGroupsSequence[WHICH])
        item.SpecificCharacterSet, item.StackID = "ISO_IR 100", name[:16]

    made.change(change)
    assert {"StackID", "SpecificCharacterSet"} <= both_ways(made, monkeypatch)


def test_most_of_what_is_right_is_not_looked_at_item_by_item(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[Row | None] = []
    of = Rows.of

    def noted(self: Rows, sop_class_uid: str, places: list[Place]) -> Row | None:
        known.append(of(self, sop_class_uid, places))
        return known[-1]

    monkeypatch.setattr(Rows, "of", noted)
    assert not any(made.verify().values())
    # The last is that of the frames, of which nothing is left to look at.
    assert known[-1] is not None
    assert 0x00209111 in known[-1].quiet
    assert 0x00089124 in known[-1].quiet
    assert len(known[-1].pairs) == FRAMES
