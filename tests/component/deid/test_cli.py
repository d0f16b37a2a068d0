"""`airlock deidentify` on folders with several patients and all kinds of files."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pydicom
import pytest
from pydicom.filewriter import dcmwrite

from airlock.deid import batch, work
from airlock.deid.sources import files_of
from airlock.errors import RefusedError
from airlock.settings import load_settings
from tests.commands import Ended, airlock
from tests.synthetic import PLANTED, STUDY, ct


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRLOCK_WORKERS", "1")
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(tmp_path / "projects"))
    (tmp_path / "projects").mkdir()
    (tmp_path / "projects" / "one.yaml").write_text(
        "name: One\ndeidentify:\n  options: [retain_longitudinal_modified_dates]\n"
    )
    load_settings.cache_clear()
    source = tmp_path / "in"
    (source / "a" / "scan").mkdir(parents=True)
    for number in (1, 2):
        dcmwrite(source / "a" / "scan" / f"im{number}.dcm", ct(number), enforce_file_format=True)
    (source / "quillfeather").mkdir()
    dcmwrite(source / "quillfeather" / "im3.dcm", ct(3), enforce_file_format=True)
    return source


def add_other_patient(folder: Path) -> None:
    other = ct(9, PatientID="OTHER-42", PatientName="Tannenbaum^Olga", StudyInstanceUID="1.2.276.0.7230010.3.1.2.101")
    other.StudyDate = "20200111"
    dcmwrite(folder / "other.dcm", other, enforce_file_format=True)


def run(folder: Path, *options: str) -> Ended:
    out = folder.parent / "out"
    return airlock("deidentify", folder, out, "--project", "One", *options)


def test_several_patients_with_maps_and_report(folder: Path) -> None:
    add_other_patient(folder)
    (folder / "notes.txt").write_text("Zebedee Quillfeather")
    (folder / "copy.dcm").write_bytes((folder / "quillfeather" / "im3.dcm").read_bytes())
    changed = ct(2, ImageComments="other", SliceThickness=7)
    dcmwrite(folder / "zz.dcm", changed, enforce_file_format=True)
    maps = folder.parent
    held = ct(4, PatientID="HELD-1", StudyInstanceUID="1.2.276.0.7230010.3.1.2.102", SOPInstanceUID="1.2.276.0.9.1")
    dcmwrite(folder / "held.dcm", held, enforce_file_format=True)
    (folder / "held.dcm").write_bytes((folder / "held.dcm").read_bytes()[:-40])
    result = run(
        folder,
        *("--uid-map", str(maps / "u.csv")),
        *("--patid-map", str(maps / "p.csv")),
        *("--report", str(maps / "r")),
    )
    assert (result.status, result.last_line) == (3, "in 8 / out 4 / skipped 1 / held 3")
    report = {line["input"]: line for line in map(json.loads, (maps / "r").read_text().splitlines())}
    assert set(report) == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert report["notes.txt"] == {
        "input": "notes.txt",
        "outcome": "held",
        "reason": "It is not a DICOM file (PS3.10 section 7.1).",
    }
    uids = dict(csv.reader((maps / "u.csv").open()))
    patients = dict(csv.reader((maps / "p.csv").open()))
    assert uids.pop("id_old") == patients.pop("id_old") == "id_new"
    # Nothing of what was held, and nothing of what was removed.
    assert set(patients) == {"QF-7731942", "OTHER-42"}
    assert not {"1.2.276.0.9.1", "1.2.276.0.7230010.3.1.2.102"} & set(uids)
    outputs = list((folder.parent / "out").rglob("*.*"))
    files = [path for path in outputs if path.is_file()]
    assert len(files) == 4
    written = b"".join(path.read_bytes() for path in files)
    assert all(new.encode() in written and old.encode() not in written for old, new in uids.items())
    assert len(uids) == 8
    for path in files:
        ds = pydicom.dcmread(path)
        assert path.parts[-3:-1] == (ds.StudyInstanceUID, ds.SeriesInstanceUID)
        assert ds.StudyInstanceUID in uids.values()
        assert ds.PatientID in patients.values()
        assert not [word for word in (*PLANTED, "tannenbaum", "other-42") if word.encode() in path.read_bytes().lower()]


def test_a_subject_is_for_one_patient(folder: Path) -> None:
    result = run(folder, "--subject", "S-1")
    assert (result.status, result.last_line) == (0, "in 3 / out 3 / skipped 0 / held 0")
    for path in (folder.parent / "out").rglob("*.dcm"):
        assert pydicom.dcmread(path).PatientID == "S-1"
    add_other_patient(folder)
    result = run(folder, "--subject", "S-1")
    assert result.status == 2
    assert "2 patients" in result.stderr


def test_paths_are_kept_only_when_they_say_nothing(folder: Path) -> None:
    result = run(folder, "--keep-paths")
    assert result.status == 0
    out = folder.parent / "out"
    names = {path.relative_to(out).as_posix() for path in out.rglob("*.dcm")}
    assert {"a/scan/im1.dcm", "a/scan/im2.dcm"} < names
    assert not [name for name in names if "quillfeather" in name]
    assert len(names) == 3


def test_paths_are_not_kept_when_they_spell_somebody(folder: Path) -> None:
    spelled = [
        "Q.U.I.L.L.F.E.A.T.H.E.R",
        "ct_QuillfeatherZ",
        "quillf%65ather",
        "CTZEBEDEE",
        "born-030261",
        "7731942_1",
        "03FEB61",
    ]
    for number, name in enumerate(spelled, 10):
        (folder / name).mkdir()
        dcmwrite(folder / name / "im.dcm", ct(number), enforce_file_format=True)
    result = run(folder, "--keep-paths")
    assert (result.status, result.last_line) == (0, "in 10 / out 10 / skipped 0 / held 0")
    out = folder.parent / "out"
    names = {path.relative_to(out).parts[0] for path in out.rglob("*.dcm")}
    assert "a" in names
    assert not names & set(spelled)


def test_instances_that_say_they_are_deidentified(folder: Path) -> None:
    said = ct(4, PatientIdentityRemoved="YES", DeidentificationMethod="by hand, Zebedee")
    dcmwrite(folder / "said.dcm", said, enforce_file_format=True)
    assert run(folder).last_line == "in 4 / out 4 / skipped 0 / held 0"
    (written,) = (
        ds for path in (folder.parent / "out").rglob("*.dcm") if (ds := pydicom.dcmread(path)).InstanceNumber == 4
    )
    assert "Zebedee" not in str(written)
    (folder.parent / "projects" / "one.yaml").write_text("name: One\ndeidentify: {already_deidentified: hold}\n")
    held = airlock("deidentify", folder, folder.parent / "o2", "--project", "One", "--report", folder.parent / "r")
    assert (held.status, held.last_line) == (3, "in 4 / out 3 / skipped 0 / held 1")
    assert "already" in (folder.parent / "r").read_text()


def test_a_study_of_two_patients_is_held(folder: Path) -> None:
    dcmwrite(folder / "other.dcm", ct(9, PatientID="OTHER-42"), enforce_file_format=True)
    result = run(folder)
    assert (result.status, result.last_line) == (3, "in 4 / out 0 / skipped 0 / held 4")


@pytest.mark.parametrize("target", ["out", ".", "..", "../in"])
def test_output_below_or_around_the_input_is_refused(folder: Path, target: str) -> None:
    result = airlock("deidentify", folder, folder / target, "--project", "One")
    assert result.status == 2
    assert STUDY not in result.stdout + result.stderr


def test_a_report_that_could_not_be_written_is_found_out_before_the_work(folder: Path) -> None:
    result = run(folder, "--report", str(folder.parent / "none" / "report.jsonl"))
    assert result.status == 2
    assert "Make it first" in result.stderr
    assert not (folder.parent / "out").exists()


def test_an_output_folder_that_cannot_be_written_is_one_message(folder: Path) -> None:
    result = airlock("deidentify", folder, "/proc/none/out", "--project", "One")
    assert result.status == 2
    assert "The output folder cannot be written" in result.stderr


def test_an_input_that_may_not_be_read_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_path: Path, _first_bytes: int) -> None:
        raise PermissionError(13, "Zebedee", "Quillfeather")

    monkeypatch.setattr("airlock.identity.stream.open_head", denied)
    result = work.make_harvester(None)(batch.Task("x", tmp_path))
    assert result == batch.Refused("It may not be read. Correct the permissions of its file.")


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_folder: str) -> None:
        raise PermissionError(13, "Permission denied", "/x/Quillfeather")

    monkeypatch.setattr("os.scandir", denied)
    with pytest.raises(RefusedError, match="Permission denied") as caught:
        files_of(tmp_path)
    assert "Quillfeather" not in str(caught.value)


def test_file_names_that_are_no_text(folder: Path) -> None:
    for name in (b"\xff\xfe.dcm", b"new\nline.dcm", b"[red]", b"x" * 255):
        (folder / os.fsdecode(name)).write_bytes(b"no DICOM")
    (folder / "loop").symlink_to(folder)
    report = folder.parent / "report.jsonl"
    result = run(folder, "--report", str(report))
    assert (result.status, result.last_line) == (3, "in 8 / out 3 / skipped 0 / held 5")
    inputs = {json.loads(line)["input"] for line in report.read_text("utf-8").splitlines()}
    assert {"\udcff\udcfe.dcm", "new\nline.dcm", "[red]", "x" * 255} < inputs


def test_dates_of_every_study_move_by_their_own_offset(folder: Path) -> None:
    policy = "name: One\ndeidentify:\n  options: [retain_longitudinal_modified_dates]\n  shift_by: study\n"
    (folder.parent / "projects" / "one.yaml").write_text(policy)
    dcmwrite(folder / "later.dcm", ct(9, StudyInstanceUID="1.2.276.0.7230010.3.1.2.101"), enforce_file_format=True)
    result = run(folder)
    assert (result.status, result.last_line) == (0, "in 4 / out 4 / skipped 0 / held 0")
    outputs = [pydicom.dcmread(path) for path in (folder.parent / "out").rglob("*.dcm")]
    dates: dict[str, set[str]] = {}
    for ds in outputs:
        dates.setdefault(str(ds.StudyInstanceUID), set()).add(str(ds.StudyDate))
    assert sorted(map(len, dates.values())) == [1, 1]
    assert len(set.union(*dates.values())) == 2
    assert len({str(ds.PatientID) for ds in outputs}) == 1
