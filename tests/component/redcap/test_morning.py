"""A FIONA user's morning: their REDCap projects, their request file, their folders; only the programs are others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydicom import dcmread
from redcap import Project

import airlock.redcap.sandbox
from airlock.deid.step import deidentify
from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.ledger import TransferState
from airlock.pixels.step import detect_burned_in_text
from airlock.redcap.client import RedcapClient
from airlock.redcap.projects import sync_projects
from airlock.redcap.sandbox import RedcapSandbox
from airlock.retrieve.step import pull_study
from airlock.screen.step import screen_instances
from airlock.settings import load_settings
from airlock.transfer import Transfer
from airlock.verify.step import verify_output
from airlock_provider.hooks import redcap
from airlock_provider.intake import archive_requests, read_requests
from airlock_provider.operators.request import AcceptRequestOperator, ArchiveRequestOperator, UpdateRedcapOperator
from demo import phantoms
from demo.phantoms import Patient
from tests.simulated_pacs import SimulatedPacs

PROJECT, SUBJECT = "QC - NH Phantom", "QC-007"
PROJECTS = Path(airlock.redcap.sandbox.__file__).with_name("projects.json")


@pytest.fixture
def fiona(tmp_path, monkeypatch):
    """The folders and REDCap projects that are there, and the settings that name them."""
    for name, value in {
        "HOME": tmp_path / "airlock",
        "PROC": tmp_path / "home/PROC",
        "RAW": tmp_path / "home/DATA/site/raw",
        "PROJECTS": tmp_path / "projects",
        "SETTLE_SECONDS": 0,
        "STUDY_IDLE_SECONDS": 0,
    }.items():
        monkeypatch.setenv(f"AIRLOCK_{name}", str(value))
    (tmp_path / "projects").mkdir()
    (tmp_path / "home/PROC/transfer_requests").mkdir(parents=True)
    load_settings.cache_clear()
    with RedcapSandbox() as incoming, RedcapSandbox(dictionary=PROJECTS) as listed:
        client = RedcapClient(incoming.url, incoming.token)
        monkeypatch.setattr(redcap, "RedcapHook", lambda _: SimpleNamespace(client=client))
        yield SimpleNamespace(home=tmp_path / "home", incoming=incoming, listed=listed)
    load_settings.cache_clear()


def receive(home: Path, files: list[Path]) -> str:
    """Put files where FIONA's receiver puts them: in its archive, with links and an index of each series in `raw`."""
    for file in files:
        header = dcmread(file, stop_before_pixels=True)
        study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
        kept = home / "DATA/site/archive" / f"scp_{study}" / file.name
        link = home / "DATA/site/raw" / study / series / str(header.SOPInstanceUID)
        kept.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(file.read_bytes())
        link.symlink_to(kept)
        index = {"Modality": [header.Modality], "ClassifyType": [], "PatientID": header.PatientID, "NumFiles": "1"}
        (link.parent.parent / f"{series}.json").write_text(json.dumps(index))
    return study


def ask(fiona, study: str) -> Path:
    """Ask in REDCap, and write the request file that FIONA's own script makes of it."""
    project = Project(fiona.incoming.url, fiona.incoming.token)
    row = {"study_instance_uid": study, "redcap_repeat_instrument": "transfers", "redcap_repeat_instance": 1}
    asked = {"transfer_project_name": PROJECT, "transfer_name": SUBJECT, "transfer_event_name": "Baseline"}
    dates = {"transfer_requested_date": "2026-03-02 08:15", "transfer_date": ""}
    assert project.import_records([row | asked | dates]) == {"count": 1}
    file = fiona.home / "PROC/transfer_requests" / f"{study}_{PROJECT}_{SUBJECT}_1.json"
    file.write_text(json.dumps(row | asked | dates, indent=2, sort_keys=True))
    return file


def carry(transfer_id: str, pacs: SimulatedPacs) -> None:
    """Do what the DAG does, task by task."""
    run = SimpleNamespace(run_id=transfer_id, conf={"transfer_id": transfer_id})
    context = {"ti": SimpleNamespace(try_number=1), "dag_run": run, "params": {}}
    AcceptRequestOperator(task_id="accept_request").execute(context)
    transfer = Transfer.open(transfer_id, load_settings())
    pull_study(transfer, None)
    for step in (screen_instances, detect_burned_in_text, deidentify, verify_output):
        step(transfer)
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        confirm_receipt(transfer, peer)
    UpdateRedcapOperator(task_id="update_redcap").execute(context)
    ArchiveRequestOperator(task_id="archive_request").execute(context)


def test_a_morning(fiona, tmp_path):
    rules = {"project_name": PROJECT, "project_active": "1", "project_patient_naming": "QC-[0-9]{3}"}
    client = RedcapClient(fiona.listed.url, fiona.listed.token)
    client.import_records([rules | {"project_features___0": "1"}])
    sync_projects(client, load_settings().projects, "redcap")
    patient = Patient.invent(77)
    images = phantoms.ct_series(tmp_path / "made", patient, slices=2, side=64)
    study = receive(fiona.home, [*images, phantoms.presentation_state(tmp_path / "made", patient, images[0])])
    before = sorted(fiona.home.glob("DATA/**/*"))
    file = ask(fiona, study)
    written = file.read_text()

    (run,) = read_requests()
    archive_requests([run["run_id"]])
    pacs = SimulatedPacs()
    carry(run["run_id"], pacs)

    (sent,) = {(str(d.StudyInstanceUID), str(d.PatientID)) for d in pacs.instances.values()}
    assert sent[1] == SUBJECT
    (row,) = Project(fiona.incoming.url, fiona.incoming.token).export_records(records=[study], forms=["transfers"])
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}", row["transfer_date"])
    assert row["transfer_mapped_uid"] == sent[0]
    assert [row[f"transfer_error___{choice}"] for choice in (1, 2, 3)] == ["0", "0", "0"]
    assert (row["transfer_error_message"], row["transfers_complete"]) == ("", "2")
    assert row["transfer_requested_date"] == "2026-03-02 08:15"
    (done,) = (fiona.home / "PROC/transfers_done").iterdir()
    stamp = r"_ok_[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}:[0-9]{2}\.log"
    assert re.fullmatch(re.escape(file.name) + stamp, done.name)
    assert done.read_text() == written
    assert not list(file.parent.iterdir())
    assert sorted(fiona.home.glob("DATA/**/*")) == before, "what was received stays as it was"
    counts = Transfer.open(run["run_id"], load_settings()).ledger.find(run["run_id"])
    assert (counts.state, counts.counts.sent, counts.counts.skipped) == (TransferState.SENT, 2, 1)

    # `resendProject.py` writes whole records, with everything that REDCap has of them.
    resent = {**row, "study_description": "kept", "transfer_date": ""}
    file.write_text(json.dumps(resent, indent=2, sort_keys=True))
    (again,) = read_requests()
    assert again["run_id"] == run["run_id"], "the same transfer, which has its run already"
    archive_requests([again["run_id"]])
    assert [path.name for path in (fiona.home / "PROC/transfers_done").iterdir() if "_duplicate_" in path.name]
