"""The step and the command, with worker processes, on transfers as the chain makes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
import yaml
from pydicom.filewriter import dcmwrite

from airlock.deid.step import deidentify
from airlock.errors import HeldError, IdentifierFound
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.settings import load_settings
from airlock.transfer import Transfer
from airlock.verify.step import verify_output
from tests.commands import airlock
from tests.component.deid.conftest import fill
from tests.synthetic import PLANTED, STUDY, ct
from tests.transfers import make_transfer

MODIFIED = "retain_longitudinal_modified_dates"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Transfer:
    made = make_transfer(
        tmp_path_factory.mktemp("transfer"),
        study_uid=STUDY,
        policy={"name": "Study One", "deidentify": {"options": [MODIFIED, "retain_device_identity"]}},
        settings={"workers": 1},
        transfer_project_name="Study One",
        transfer_name="ONE-001",
    )
    fill(made, [ct(1), ct(2), ct(3)], rewritten=(1,))
    deidentify(made)
    return made


@pytest.fixture
def transfer(made: Transfer, tmp_path: Path) -> Iterator[Transfer]:
    """The transfer, its workspace as it was before every test."""
    shutil.copytree(made.workspace.root, tmp_path / "before")
    yield made
    shutil.rmtree(made.workspace.root)
    shutil.copytree(tmp_path / "before", made.workspace.root)


def instance_id(transfer: Transfer, number: int) -> str:
    return transfer.instance_id(f"1.2.276.0.7230010.3.1.5.{number}")


def output(transfer: Transfer, number: int) -> Path:
    (row,) = (r for r in transfer.ledger.instances(transfer.id) if r.id == instance_id(transfer, number))
    return transfer.workspace.folder("deidentified") / (row.path or "")


def report(transfer: Transfer) -> dict[str, dict]:
    lines = (transfer.workspace.folder("report") / "verification.jsonl").read_text().splitlines()
    return {line["instance"]: line for line in map(json.loads, lines)}


def change(path: Path, **attributes: object) -> None:
    ds = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.save_as(path)


def test_all_pass_and_the_report_says_so(transfer: Transfer) -> None:
    calls: list[tuple[int, int | None]] = []
    assert verify_output(transfer, lambda done, total: calls.append((done, total))).open == 3
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert {line["verdict"] for line in report(transfer).values()} == {"pass"}
    assert set(report(transfer)) == {instance_id(transfer, number) for number in (1, 2, 3)}
    assert [event[2] for event in transfer.ledger.events(transfer.id)][-1] == "passed"


def test_all_problems_of_all_outputs_are_listed(transfer: Transfer) -> None:
    change(output(transfer, 1), StationName="QUILLFEATHER", SliceThickness=9)
    change(output(transfer, 3), ContentDate="20200112")
    with pytest.raises(IdentifierFound) as caught:
        verify_output(transfer)
    lines = report(transfer)
    assert [lines[instance_id(transfer, number)]["verdict"] for number in (1, 2, 3)] == ["fail", "pass", "fail"]
    named = {problem["attribute"] for problem in lines[instance_id(transfer, 1)]["problems"]}
    assert named == {"StationName", "SliceThickness"}
    told = str(caught.value) + (transfer.workspace.folder("report") / "verification.jsonl").read_text()
    told += json.dumps([event[3] for event in transfer.ledger.events(transfer.id)])
    assert instance_id(transfer, 1) in str(caught.value)
    assert not [word for word in (*PLANTED, "20200112") if word in told.lower()]


def test_pixels_are_compared_with_the_rewritten_ones(transfer: Transfer) -> None:
    path = transfer.workspace.folder("rewritten") / f"{instance_id(transfer, 2)}.dcm"
    change(path, PixelData=bytes(128))
    with pytest.raises(HeldError, match="PixelData differs from its source") as caught:
        verify_output(transfer)
    assert not isinstance(caught.value, IdentifierFound)


def test_what_may_be_a_false_alarm_waits_for_a_person(transfer: Transfer) -> None:
    change(output(transfer, 1), StationName="Unit 77 319 42")
    with pytest.raises(IdentifierFound, match="may be a false alarm"):
        verify_output(transfer)
    found = report(transfer)[instance_id(transfer, 1)]
    assert found["verdict"] == "review"
    assert found["problems"] == [{"attribute": "StationName", "reason": "holds a number of the input", "weak": True}]


@pytest.mark.parametrize("what", ["output", "input", "stranger", "row"])
def test_everything_is_counted(transfer: Transfer, what: str) -> None:
    incoming = transfer.workspace.folder("incoming")
    if what == "output":
        output(transfer, 1).unlink()
    elif what == "input":
        (incoming / f"{instance_id(transfer, 1)}.dcm").unlink()
    elif what == "stranger":
        (output(transfer, 1).parent / "more.dcm").write_bytes(b"x")
    else:
        (incoming / "i-unknown.dcm").write_bytes((incoming / f"{instance_id(transfer, 1)}.dcm").read_bytes())
    with pytest.raises(HeldError, match="Clear the de-identification step"):
        verify_output(transfer)


def test_states_of_the_ledger(transfer: Transfer) -> None:
    transfer.ledger.record(transfer.id, [InstanceUpdate(instance_id(transfer, 1), InstanceState.SENT)])
    assert verify_output(transfer).sent == 1
    transfer.ledger.record(transfer.id, [InstanceUpdate(instance_id(transfer, 1), InstanceState.READY)])
    transfer.ledger.record(transfer.id, [InstanceUpdate("i-late", InstanceState.RECEIVED)])
    with pytest.raises(HeldError, match="1 are neither ready"):
        verify_output(transfer)
    transfer.ledger.record(transfer.id, [InstanceUpdate("i-late", InstanceState.SKIPPED)])


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AIRLOCK_WORKERS", "1")
    monkeypatch.setenv("AIRLOCK_PROJECTS", str(tmp_path / "projects"))
    (tmp_path / "projects").mkdir()
    (tmp_path / "projects" / "one.yaml").write_text(yaml.safe_dump({"name": "One"}))
    load_settings.cache_clear()
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        dcmwrite(tmp_path / "in" / f"{number}.dcm", ct(number), enforce_file_format=True)
    other = ct(9, PatientID="OTHER-42", PatientName="Tannenbaum^Olga", StudyInstanceUID="1.2.276.0.7230010.3.1.2.101")
    dcmwrite(tmp_path / "in" / "9.dcm", other, enforce_file_format=True)
    (tmp_path / "in" / "notes.txt").write_text("no DICOM")
    airlock("deidentify", tmp_path / "in", tmp_path / "out", "--project", "One")
    return lambda *more: airlock("verify", tmp_path / "out", "--against", tmp_path / "in", "--project", "One", *more)


def test_the_command(folders: Callable[..., object], tmp_path: Path) -> None:
    ended = folders("--report", str(tmp_path / "report.jsonl"))
    assert (ended.status, ended.last_line) == (0, "in 4 / out 3 / pass 3 / review 0 / fail 0 / inputs without output 1")
    first, second, _third = sorted((tmp_path / "out").rglob("*.dcm"))
    change(first, StationName="TANNENBAUM of Quillfeather")
    second.write_bytes(second.read_bytes()[:-7])
    (tmp_path / "out" / "Quillfeather.txt").write_text("x")
    ended = folders("--report", str(tmp_path / "report.jsonl"))
    assert (ended.status, ended.last_line) == (3, "in 4 / out 4 / pass 1 / review 0 / fail 3 / inputs without output 1")
    assert not [word for word in ("quillfeather", "tannenbaum") if word in (ended.stdout + ended.stderr).lower()]
    (tmp_path / "out" / "dead.dcm").symlink_to("nowhere")
    (tmp_path / "in" / "dead.dcm").symlink_to("nowhere")
    ended = folders()
    assert (ended.status, ended.last_line) == (3, "in 5 / out 5 / pass 1 / review 0 / fail 4 / inputs without output 2")
    assert folders("--report", "/nowhere/at/all").status == 2
    ended = airlock("verify", tmp_path / "out", "--against", tmp_path / "in", "--project", "Other")
    assert ended.status == 3
    assert "has no input" in ended.stderr
