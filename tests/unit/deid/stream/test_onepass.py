"""Harvesting and writing in one pass comes to the same as harvesting everything before the first file is written."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from airlock.deid.batch import Task
from airlock.deid.folder import FolderRun, Outcome
from airlock.deid.frame import Frame
from airlock.deid.onepass import OnePass
from airlock.deid.release import Release
from airlock.deid.terms import Strictest, Terms
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import harvest_file
from airlock.identity.keys import KeyRing
from tests.synthetic import ct
from tests.unit.deid.stream.test_equal import SAMPLES

OPTIONS = (
    (),
    ("clean_descriptors", "retain_longitudinal_modified_dates"),
    ("retain_longitudinal_full_dates", "retain_uids", "retain_device_identity"),
)
Run = Callable[..., tuple[int, dict[str, bytes]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """De-identify datasets in both ways; compare; return how many files were written a second time, and the outputs."""
    source = tmp_path / "in"
    may_go = Release.may_go
    answers: list[bool] = []

    def noted(*arguments: Any) -> bool:
        answers.append(may_go(*arguments))
        return answers[-1]

    def once(name: str, terms: Terms) -> tuple[dict[str, bytes], list[Outcome]]:
        target = tmp_path / name
        outcomes = list(FolderRun(source, target, Strictest("P", terms), KeyRing(b"k" * 32), workers=2).run())
        assert [path.name for path in target.iterdir() if path.name.startswith(".")] == []
        made = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
        return made, sorted(outcomes, key=lambda outcome: outcome.name)

    def both(datasets: list[Dataset], **terms: Any) -> tuple[int, dict[str, bytes]]:
        source.mkdir()
        for number, dataset in enumerate(datasets):
            dcmwrite(source / f"{number:03}.dcm", dataset, enforce_file_format=True)
        monkeypatch.setattr(Release, "may_go", noted)
        first = once("one", Terms(**terms))
        monkeypatch.setattr(Release, "may_go", lambda *_arguments: False)
        assert first == once("two", Terms(**terms))
        return answers.count(False), first[0]

    return both


def kept(text: str, **values: Any) -> dict[str, Any]:
    """Return attributes that the Basic Profile keeps, with a text in them."""
    return {"ConvolutionKernel": text[:16], "BodyPartExamined": text[:16].upper(), **values}


@pytest.mark.parametrize("options", OPTIONS)
def test_nothing_is_written_twice_where_nothing_new_is_said(run: Run, options: tuple[str, ...]) -> None:
    again, made = run([ct(n, **kept("B30f")) for n in range(1, 6)], options=options)
    assert (again, len(made)) == (0, 5)


@pytest.mark.parametrize("last", ["ReferringPhysicianName", "OperatorsName"])
def test_an_identifier_that_only_the_last_file_names(run: Run, last: str) -> None:
    datasets = [ct(n, **kept("Wolpertinger")) for n in range(1, 5)]
    again, made = run([*datasets, ct(5, **kept("B30f"), **{last: "Wolpertinger^Ada"})])
    assert (again, len(made)) == (5, 5)
    assert not [name for name, content in made.items() if b"wolpertinger" in content.lower()]


@pytest.mark.parametrize(
    ("kept_value", "names"),
    [
        ({"ConvolutionKernel": "1.2.276.0.77.5"}, {"FrameOfReferenceUID": "1.2.276.0.77.5"}),
        ({"DeviceSerialNumber": "7788991"}, {"AccessionNumber": "7788991"}),
        ({"SliceThickness": "7788991"}, {"AccessionNumber": "7788991"}),
        ({"SoftwareVersions": "x 2020-03-04"}, {"ContentDate": "20200304"}),
        ({"InstitutionName": "at Wolpertingen"}, {"PatientAddress": "Wolpertingen"}),
    ],
)
@pytest.mark.parametrize("options", OPTIONS[:2])
def test_what_kinds_of_identifiers_there_are(
    run: Run, kept_value: dict[str, str], names: dict[str, str], options: tuple[str, ...]
) -> None:
    run([ct(1, **kept_value), ct(2), ct(3, **names)], options=(*options, "retain_device_identity"))


def test_a_text_that_must_be_treated_again_is_found_in_every_kind(run: Run) -> None:
    again, made = run([ct(1, SliceThickness="7788991"), ct(2), ct(3, AccessionNumber="7788991")])
    assert again == 3
    assert not [name for name, content in made.items() if b"7788991" in content]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("shift_by", ["patient", "study"])
def test_several_studies_of_a_patient(run: Run, options: tuple[str, ...], shift_by: str) -> None:
    def study(number: int, n: int) -> Dataset:
        uid = f"1.2.276.0.7230010.3.1.2.{number}"
        return ct(n, **kept("B30f"), StudyInstanceUID=uid, StudyDate=f"2020011{number}")

    run([study(number, 10 * number + n) for n in range(3) for number in (1, 2)], options=options, shift_by=shift_by)


def test_an_issuer_that_only_some_files_name(run: Run) -> None:
    again, _ = run([ct(1), ct(2), ct(3, IssuerOfPatientID="Clinic")])
    assert again == 2


def test_a_study_of_two_patients_reaches_nobody(run: Run) -> None:
    _, made = run([ct(1), ct(2), ct(3, PatientID="OTHER-42")])
    assert made == {}


def test_more_studies_in_turns_than_are_kept_open(run: Run) -> None:
    def of(patient: int, n: int) -> Dataset:
        return ct(
            n,
            **kept("Wolpertinger" if n == patient else "B30f"),
            PatientID=f"P-{patient}",
            PatientName=f"Quill{'abcdefghijkl'[patient]}^Zebedee",
            StudyInstanceUID=f"1.2.276.0.7230010.3.1.2.9{patient}",
        )

    run([of(patient, 20 * turn + patient) for turn in range(3) for patient in range(12)])


@pytest.mark.parametrize("options", [(), ("clean_structured_content", "retain_device_identity")])
def test_the_evidence_is_that_of_the_plain_harvest(tmp_path: Path, options: tuple[str, ...]) -> None:
    written = 0
    for number, path in enumerate(SAMPLES):
        try:
            expected = harvest_file(path)
        except InstanceNotUnderstood:
            continue
        one_pass = OnePass(Frame(KeyRing(b"k" * 32), "P", Terms(options=options)), tmp_path / str(number))
        first, second = (one_pass.process(Task("x", path, name=f"{n}.dcm")) for n in range(2))
        assert first.evidence == expected, path.name
        second.evidence.update(first.evidence)
        assert second.evidence == expected, path.name
        written += first.written is not None and second.written is not None
    assert written >= 80


@pytest.mark.parametrize(
    ("varying", "names"),
    [
        ({"SliceThickness": "778899{n}"}, {"AccessionNumber": "7788993"}),
        ({"SliceLocation": "1.5", "XRayTubeCurrent": "778899{n}"}, {"AccessionNumber": "7788993"}),
        ({"ConvolutionKernel": "B3{n} 7788993"}, {"AccessionNumber": "7788993"}),
        ({"ConvolutionKernel": "Wolpertinger {n}"}, {"OperatorsName": "Wolpertinger^7788993"}),
        ({"AcquisitionTime": "10111{n}", "SpacingBetweenSlices": "7788993.0"}, {"AccessionNumber": "7788993"}),
    ],
)
def test_what_a_series_has_in_common_and_what_differs_is_asked_again(
    run: Run, varying: dict[str, str], names: dict[str, str]
) -> None:
    slices = [uncut(n, **{keyword: value.format(n=n) for keyword, value in varying.items()}) for n in range(1, 7)]
    again, made = run([*slices, uncut(7, **names)])
    assert again == 7
    assert not [name for name, content in made.items() if b"7788993" in content or b"Wolpertinger" in content]


def uncut(n: int, **values: Any) -> Dataset:
    """Return an instance that keeps no text of which something is cut: then nothing is asked but for itself."""
    return ct(n, **{"ManufacturerModelName": "Scanner", **values})


def test_a_name_that_concerns_nothing_is_no_reason_to_write_again(run: Run) -> None:
    again, _ = run([uncut(1), uncut(2), uncut(3, OperatorsName="Wolpertinger^Ada")])
    assert again == 0


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (struct.unpack("<dd", b"Wolpertinger\0\0\0\0"), {"OperatorsName": "Wolpertinger^Ada"}),
        ((7788993.0, 1.0), {"AccessionNumber": "7788993"}),
    ],
)
def test_binary_numbers_that_turn_out_to_identify(run: Run, number: tuple[float, ...], names: dict[str, str]) -> None:
    def of(n: int) -> Dataset:
        dataset = uncut(n)
        dataset.add_new(0x00189327, "FD", [1.5 * n, *number])
        return dataset

    again, made = run([*map(of, range(1, 6)), uncut(6, **names)])
    assert again == 6
    planted = struct.pack(f"<{len(number)}d", *number)
    assert not [name for name, content in made.items() if planted in content]
