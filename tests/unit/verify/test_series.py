"""What a series has in common is looked at once; whatever differs in one of its objects is found there all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from airlock.identity.evidence import Evidence
from airlock.verify import inspect, source
from airlock.verify.found import Problem, verdict
from airlock.verify.pixels import PixelComparison
from airlock.verify.spelled import Spelled
from tests.synthetic import ct
from tests.unit.verify.conftest import Case, make_case
from tests.unit.verify.test_mutations import WRONG, item

CLEAN_GRAPHICS, SAFE = "clean_graphics", "retain_safe_private"
# These change the study's or the patient's identity, which is judged over all objects together.
_TOGETHER = {"StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "ReferencedSOPInstanceUID", "PatientID"}


@pytest.fixture(autouse=True)
def nothing_read() -> None:
    """Begin as a process does that has read nothing."""
    inspect._readers.cache_clear()
    source.sources.cache_clear()


def found_in(problems: dict[str, list[Problem]], number: int) -> set[str]:
    return {problem.attribute for problem in problems[str(number)]}


def series(root: Path, count: int, change: Callable[[Dataset, int], object], options: tuple[str, ...] = ()) -> Case:
    """A series as a scanner makes it, but for what a test changes in its objects."""
    datasets = [ct(number, InstanceNumber=number, SliceLocation=number / 4) for number in range(1, count + 1)]
    for number, dataset in enumerate(datasets, start=1):
        change(dataset, number)
    return make_case(root / "case", datasets, options)


def change(made: Case, number: int, how: Callable[[Dataset], object]) -> None:
    """Change the output of one object, by its number."""
    names = [(made.root / "names" / path.name).read_text() for path in made.outputs]
    made.change(how, names.index(str(number)))


def unchanged(_ds: Dataset, _number: int) -> None:
    pass


def test_every_fault_is_found_late_in_a_series_too(tmp_path: Path) -> None:
    # After six objects nothing is new; from then on every second one has a fault of its own.
    made = series(tmp_path, 7 + 2 * len(WRONG), unchanged)
    faulty = dict(zip(range(7, 7 + 2 * len(WRONG), 2), WRONG.values(), strict=True))
    names = [int((made.root / "names" / path.name).read_text()) for path in made.outputs]
    for number, (fault, _) in faulty.items():
        made.change(fault, names.index(number))
    problems = made.verify()
    for number, found in problems.items():
        expected = faulty.get(int(number))
        if expected is None:
            assert found_in(problems, int(number)) <= _TOGETHER, number
        else:
            assert expected[1] in found_in(problems, int(number)), expected
            assert verdict(found) == "fail"


def test_an_identifier_late_in_a_series(tmp_path: Path) -> None:
    made = series(tmp_path, 12, unchanged)

    def in_meta(ds: Dataset) -> None:
        ds.file_meta.ImplementationVersionName = "QUILLFEATHER"

    def nested(ds: Dataset) -> None:
        ds.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence = item(CodeMeaning="of Quillfeather")

    change(made, 9, lambda ds: setattr(ds, "StationName", "QUILLFEATHER"))
    change(made, 10, in_meta)
    change(made, 11, nested)
    change(made, 12, lambda ds: setattr(ds, "AcquisitionNumber", 7731942))
    problems = made.verify()
    places = {9: "StationName", 10: "ImplementationVersionName", 11: "CodeMeaning", 12: "AcquisitionNumber"}
    for number in range(1, 13):
        named = {problem.attribute for problem in problems[str(number)] if problem.identifier}
        assert named == ({places[number]} if number in places else set())


def test_who_is_named_late_in_a_series_is_searched_in_all_of_it(tmp_path: Path) -> None:
    def operator(ds: Dataset, number: int) -> None:
        ds.OperatorsName = "Tannenbaum^Olga" if number == 9 else "Nobody^Else"

    made = series(tmp_path, 10, operator)
    assert not any(made.verify().values())
    change(made, 2, lambda ds: setattr(ds, "StationName", "TANNENBAUM"))
    named = [(problem.attribute, problem.identifier) for problem in made.verify()["2"]]
    assert ("StationName", True) in named


def contributing(value: str, thickness: float = 1.5) -> Sequence:
    """Items that hold items, most of them the same."""

    def one(text: str) -> Dataset:
        inner = Dataset()
        inner.RadiopharmaceuticalVolume = thickness
        inner.Radiopharmaceutical = text
        outer = Dataset()
        outer.RadionuclideCodeSequence = item(CodeValue="C-1", CodeMeaning=text)
        outer.AdministrationRouteCodeSequence = Sequence([inner])
        return outer

    return Sequence([one("water"), one("water"), one(value), one("water")])


@pytest.mark.parametrize("frame", [0, 3])
def test_items_that_are_the_same_elsewhere(tmp_path: Path, frame: int) -> None:
    def several(ds: Dataset, _number: int) -> None:
        ds.RadiopharmaceuticalInformationSequence = contributing("salt")

    made = series(tmp_path, 9, several)
    assert not any(made.verify().values())

    def plant(ds: Dataset) -> None:
        inner = ds.RadiopharmaceuticalInformationSequence[frame].AdministrationRouteCodeSequence[0]
        inner.Radiopharmaceutical = "Quillfeather"

    made.change(plant, 7)
    problems = made.verify()
    assert [number for number, found in problems.items() if found] == ["8"]
    assert {(problem.attribute, problem.identifier) for problem in problems["8"]} >= {("Radiopharmaceutical", True)}


def test_the_same_items_of_another_input(tmp_path: Path) -> None:
    def several(ds: Dataset, number: int) -> None:
        ds.RadiopharmaceuticalInformationSequence = contributing("salt", 2.5 if number == 8 else 1.5)

    made = series(tmp_path, 9, several)
    assert not any(made.verify().values())
    other = pydicom.dcmread(made.outputs[0]).RadiopharmaceuticalInformationSequence
    made.change(lambda ds: setattr(ds, "RadiopharmaceuticalInformationSequence", other), 7)
    assert {n: found_in(made.verify(), int(n)) for n, found in made.verify().items() if found} == {
        "8": {"RadiopharmaceuticalVolume"}
    }


def test_what_an_overlay_is_decides_of_its_data(tmp_path: Path) -> None:
    def overlay(ds: Dataset, _number: int) -> None:
        ds.add_new(0x60000010, "US", 4)
        ds.add_new(0x60000011, "US", 4)
        ds.add_new(0x60000040, "CS", "R")
        ds.add_new(0x60003000, "OW", bytes(2))

    made = series(tmp_path, 9, overlay, (CLEAN_GRAPHICS,))
    assert not any(made.verify().values())
    made.change(lambda ds: setattr(ds[0x60000040], "value", "G"), 6)
    problems = made.verify()
    assert "OverlayData" in found_in(problems, 7)
    assert [number for number, found in problems.items() if found] == ["7"]


def test_who_made_a_private_element_decides_of_it(tmp_path: Path) -> None:
    def private(ds: Dataset, _number: int) -> None:
        ds.private_block(0x0019, "Philips MR Imaging DD 001", create=True)
        ds.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", 800.0)

    made = series(tmp_path, 9, private, (SAFE,))
    assert not any(made.verify().values())
    assert 0x20011003 in pydicom.dcmread(made.outputs[6])
    made.change(lambda ds: setattr(ds[0x20010010], "value", "SOMEBODY ELSE"), 6)
    problems = made.verify()
    assert "(2001,1003)" in found_in(problems, 7)
    assert [number for number, found in problems.items() if found] == ["7"]


def test_a_text_is_taken_apart_once_and_searched_for_everybody() -> None:
    texts = ("Review of Tannenbaum 1964-12-31", "TANNENBAUM-Q series", "tel 555 319 4477")
    olga = Spelled(Evidence(names={"Tannenbaum^Olga"}), (), keep_dates=False)
    born = Spelled(Evidence(names={"Quillfeather"}, birth_dates={"19641231"}), (), keep_dates=False)
    called = Spelled(Evidence(phones={"+1 555 3194477"}), (), keep_dates=False)
    for _ in range(2):
        found = [
            [{kind for kind, _weak in one.matches(text, free=True)} for text in texts] for one in (olga, born, called)
        ]
        assert found == [[{"name"}, {"name"}, set()], [{"date"}, set(), set()], [set(), set(), {"telephone number"}]]


@pytest.mark.parametrize("size", [131_072, 262_144, 300_000])
def test_every_block_of_pixel_data_is_compared(tmp_path: Path, size: int) -> None:
    def large(ds: Dataset, _number: int) -> None:
        ds.Rows, ds.Columns = 4, size // 8
        ds.PixelData = bytes(range(256)) * (size // 256) + bytes(size % 256)

    made = series(tmp_path, 1, large)
    assert not any(made.verify().values())
    output = made.outputs[0]
    good = output.read_bytes()
    for at in (1, 131_072, min(131_073, size), size):
        changed = bytearray(good)
        changed[-at] ^= 1
        output.write_bytes(changed)
        assert made.attributes() == {"PixelData"}
    output.write_bytes(good)
    assert made.attributes() == set()


def test_pixel_data_after_a_difference(tmp_path: Path) -> None:
    """What one comparison leaves in its buffers is nothing to the next."""
    made = series(tmp_path, 3, unchanged)
    made.change(lambda ds: setattr(ds, "PixelData", b"\1" + ds.PixelData[1:]), 0)
    assert [bool(found) for found in made.verify().values()] == [True, False, False]
    assert repr(PixelComparison()) is not None


def test_outputs_that_are_alike_where_their_inputs_differ(tmp_path: Path) -> None:
    made = series(tmp_path, 9, unchanged)
    for number in range(1, 10):
        change(made, number, lambda ds: setattr(ds, "SliceLocation", 0.5))
    problems = made.verify()
    assert {n: found_in(problems, int(n)) for n in problems} == {
        str(n): {"SliceLocation"} if n != 2 else set() for n in range(1, 10)
    }


def test_an_identifier_where_file_meta_information_differs(tmp_path: Path) -> None:
    made = series(tmp_path, 9, unchanged)
    for number in range(1, 10):
        name = "QUILLFEATHER" if number == 7 else f"AIRLOCK_{number}"
        # mypy infers no type of a lambda with a default.
        change(made, number, lambda ds, name=name: setattr(ds.file_meta, "ImplementationVersionName", name))  # type: ignore[misc]
    problems = made.verify()
    assert {n for n, found in problems.items() if any(problem.identifier for problem in found)} == {"7"}


@pytest.mark.parametrize("number", [1, 7])
def test_an_identifier_that_was_kept_as_it_was(tmp_path: Path, number: int) -> None:
    made = series(tmp_path, 9, unchanged)

    def plant(ds: Dataset) -> None:
        ds.PatientPosition = "QUILLFEATHER"

    source = made.root / "in" / f"{number}.dcm"
    ds = pydicom.dcmread(source)
    plant(ds)
    ds.save_as(source)
    change(made, number, plant)
    named = {n: [(p.attribute, p.identifier) for p in found] for n, found in made.verify().items() if found}
    assert named == {str(number): [("PatientPosition", True)]}
