"""`airlock deidentify` where there is an identity store: the same patient becomes the same as in a transfer."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.deid.step import deidentify
from airlock.identity.keys import KeyRing
from airlock.identity.store import open_store
from airlock.settings import Settings, load_settings
from airlock.verify.step import verify_output
from tests.commands import Ended, airlock
from tests.component.deid.conftest import fill
from tests.synthetic import STUDY, ct
from tests.transfers import make_transfer

OTHER = {"PatientID": "OTHER-42", "PatientName": "Tannenbaum^Olga", "StudyInstanceUID": "1.2.276.0.7230010.3.1.2.101"}
Run = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRLOCK_WORKERS", "1")
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(tmp_path / "projects"))
    monkeypatch.setenv("AIRLOCK_IDENTITY_URL", f"sqlite:///{tmp_path}/identity.db")
    load_settings.cache_clear()
    return tmp_path


@pytest.fixture
def run(home: Path) -> Run:
    """Return a function that de-identifies datasets under a policy and returns how that ended."""

    def run(out: str, *datasets: Dataset, options: tuple[str, ...] = (), **policy: Any) -> Ended:
        document = {"name": "One", "deidentify": {"options": ["retain_longitudinal_modified_dates"]}, **policy}
        (home / "projects").mkdir(exist_ok=True)
        (home / "projects" / "Trial.yaml").write_text(yaml.safe_dump(document))
        source = home / f"{out}-in"
        source.mkdir(exist_ok=True)
        for number, dataset in enumerate(datasets):
            dcmwrite(source / f"{number}.dcm", dataset, enforce_file_format=True)
        return airlock("deidentify", source, home / out, "--project", "One", *options)

    return run


def told(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return what became of each instance, by its number."""
    found = {}
    for path in folder.rglob("*.dcm"):
        ds = pydicom.dcmread(path)
        ids = (ds.PatientID, ds.StudyInstanceUID, ds.SOPInstanceUID, ds.StudyDate, ds.AccessionNumber)
        found[str(ds.InstanceNumber)] = tuple(map(str, ids))
    return found


def rows(home: Path) -> dict[str, dict[str, int]]:
    settings = Settings(identity_url=f"sqlite:///{home}/identity.db")
    return open_store(settings, KeyRing.load(home / "home" / "secret" / "airlock.key")).counts()


def test_a_patient_becomes_the_same_as_in_a_transfer(home: Path, run: Run) -> None:
    transfer = make_transfer(
        home,
        study_uid=STUDY,
        policy={"name": "One", "deidentify": {"options": ["retain_longitudinal_modified_dates"]},
                "identity": {"accession": "keyed"}},
        settings={"workers": 1, "home": home / "home", "identity_url": f"sqlite:///{home}/identity.db"},
        transfer_project_name="One",
        transfer_name="SUBJECT-7",
        options={"date_offset_days": -77},
    )  # fmt: skip
    fill(transfer, [ct(1)])
    deidentify(transfer)
    (sent,) = (pydicom.dcmread(path) for path in transfer.workspace.folder("deidentified").rglob("*.dcm"))
    ended = run("out", ct(1), ct(2), identity={"accession": "keyed"})
    assert (ended.status, ended.last_line) == (0, "in 2 / out 2 / skipped 0 / held 0")
    become = told(home / "out")
    assert become["1"] == (
        "SUBJECT-7",
        sent.StudyInstanceUID,
        sent.SOPInstanceUID,
        sent.StudyDate,
        sent.AccessionNumber,
    )
    assert become["2"][:2] == become["1"][:2]


def test_a_new_patient_is_noted_but_for_a_dry_run(home: Path, run: Run) -> None:
    ended = run("dry", ct(1), options=("--dry-run",))
    assert ended.status == 0
    assert rows(home) == {}
    plain = run("none", ct(1), options=("--no-store",))
    assert plain.status == 0
    assert rows(home) == {}
    assert run("out", ct(1), ct(2, **OTHER), options=("--patid-map", str(home / "p.csv"))).status == 0
    assert rows(home)["One"]["patients"] == 2
    assert told(home / "dry")["1"] == told(home / "none")["1"] == told(home / "out")["1"]
    assert dict(csv.reader((home / "p.csv").open())).keys() == {"id_old", "QF-7731942", "OTHER-42"}
    assert run("again", ct(1)).status == 0
    assert told(home / "again")["1"] == told(home / "out")["1"]
    assert rows(home)["One"]["patients"] == 2


def test_what_contradicts_the_store_is_held(home: Path, run: Run) -> None:
    assert run("out", ct(1), options=("--subject", "S-1")).status == 0
    ended = run("again", ct(1), options=("--subject", "S-2"))
    assert (ended.status, ended.last_line) == (3, "in 1 / out 0 / skipped 0 / held 1")
    moved = run("moved", ct(2, PatientID="OTHER-42"), ct(3, **{**OTHER, "StudyInstanceUID": "1.2.276.5.9"}))
    assert moved.last_line == "in 2 / out 1 / skipped 0 / held 1"
    report = home / "r.jsonl"
    run("told", ct(1), options=("--subject", "S-2", "--report", str(report)))
    assert "another research subject id" in report.read_text()
    assert "QF-7731942" not in report.read_text() + ended.stdout + ended.stderr


def test_running_numbers_and_patterns_go_on(home: Path, run: Run) -> None:
    running = {"patient": "running", "site": "5274", "accession": "running"}
    run("one", ct(1), ct(2, **OTHER), identity=running)
    numbers = {become[0] for become in told(home / "one").values()}
    assert numbers == {"5274-000001", "5274-000002"}
    again = run("two", ct(2, **OTHER), ct(3, PatientID="THIRD-1", StudyInstanceUID="1.2.276.7"), identity=running)
    assert again.status == 0
    assert told(home / "two")["2"] == told(home / "one")["2"]
    assert told(home / "two")["3"][0] == "5274-000003"


def test_ids_of_a_pattern_stay(home: Path, run: Run) -> None:
    pattern = {"patient": "pattern", "pattern": "TRIAL-[0-9]{5}"}
    run("one", ct(1), identity=pattern)
    run("two", ct(1), identity=pattern)
    (one,), (two,) = told(home / "one").values(), told(home / "two").values()
    assert one == two
    assert re.fullmatch("TRIAL-[0-9]{5}", one[0])


def test_who_cuts_all_ties_is_somebody_else_in_every_run(home: Path, run: Run) -> None:
    for out in ("one", "two"):
        assert run(out, ct(1), ct(2), identity={"patient": "cut_ties"}).status == 0
    one, two = told(home / "one"), told(home / "two")
    assert one["1"][:2] == one["2"][:2]
    assert not set(one["1"]) & set(two["1"]) - {""}
    assert rows(home) == {}


def test_a_store_of_another_key_stops_everything(home: Path, run: Run) -> None:
    assert run("out", ct(1)).status == 0
    (home / "home" / "secret" / "airlock.key").unlink()
    ended = run("again", ct(1))
    assert ended.status == 2
    assert not (home / "again").exists()


PATTERN = {"name": "Study One", "identity": {"patient": "pattern", "pattern": "TRIAL-[0-9]{5}"}}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_ids_by_a_pattern_and_names_to_use_through_the_step(home: Path, syntax: str) -> None:
    datasets = [ct(1), ct(2, FrameLabel="Ziggy head", SegmentLabel="for Wolpertinger")]
    for ds in datasets:
        ds.file_meta.TransferSyntaxUID = syntax
    called = Dataset()
    called.add_new(0x00100012, "LT", "Ziggy Wolpertinger")
    datasets[0].add_new(0x00100011, "SQ", [called])
    datasets[0].add_new(0x00100013, "LT", "since 2019, Zebedee")
    subjects = set()
    for number in (1, 2):
        # The second transfer is of another study of the same patient, who has no name there but in a comment.
        if number == 2:
            for ds in datasets:
                ds.PatientName, ds.ReferencedPatientSequence, ds.AccessionNumber = "", [], "A-9"
                ds.preamble, ds.FrameLabel = bytes(128), "Quillfeather ACC5550199"
                del ds[0x00090010], ds[0x00091001]
        for ds in datasets:
            ds.StudyInstanceUID = f"{STUDY}.{number}"
            ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.{number}"
        transfer = make_transfer(
            home,
            study_uid=f"{STUDY}.{number}",
            policy=PATTERN,
            settings={"workers": 1, "identity_url": f"sqlite:///{home}/identity.db"},
            transfer_project_name="Study One",
            transfer_name="asked for",
        )
        fill(transfer, datasets)
        assert deidentify(transfer).held == 0
        assert verify_output(transfer).held == 0
        for path in transfer.workspace.folder("deidentified").rglob("*.dcm"):
            ds = pydicom.dcmread(path)
            subjects.add((ds.PatientID, str(ds.PatientName), ds.ClinicalTrialSubjectID))
            data = path.read_bytes().lower()
            assert not [
                word for word in (b"ziggy", b"wolpertinger", b"zebedee", b"quillfeather", b"5550199") if word in data
            ]
            assert not {0x00100011, 0x00100012, 0x00100013} & set(ds.keys())
    ((patient, name, subject),) = subjects
    assert patient == name == subject
    assert re.fullmatch(r"TRIAL-[0-9]{5}", patient)
