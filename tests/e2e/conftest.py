"""A whole installation for the end-to-end tests: real Airflow, real PACS, the REDCap sandbox."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests
import yaml
from pydicom import dcmread

from airlock.dicomio.peer import Peer
from airlock.identity.keys import KeyRing
from airlock.ledger import TransferSummary
from airlock.request import TransferRequest
from airlock.settings import Settings
from airlock.transfer import open_ledger
from airlock.workspace import write_atomically
from demo import phantoms
from demo.phantoms import Patient
from demo.stack import Stack, docker_answers
from demo.watch import Watch
from tests.peers import require


@dataclass
class Installation:
    """The running stack, and what tests do with it."""

    stack: Stack
    patients: list[Patient] = field(default_factory=list)
    requests: int = 0
    typed_study_uids: set[str] = field(default_factory=set)

    @property
    def airflow(self):
        return self.stack.airflow

    @property
    def settings(self) -> Settings:
        return Settings(home=self.stack.home, projects=self.stack.home / "projects")

    @property
    def ledger(self):
        return open_ledger(self.settings)

    @property
    def drop_folder(self) -> Path:
        return self.settings.drop_folder

    def patient(self) -> Patient:
        """A new invented patient, whose identifiers must appear nowhere they don't belong."""
        patient = Patient.invent(1000 + len(self.patients))
        self.patients.append(patient)
        return patient

    def put_into_raw(self, files: list[Path]) -> str:
        """Put a study into the raw folder; return its StudyInstanceUID."""
        for file in files:
            header = dcmread(file, stop_before_pixels=True)
            folder = self.settings.raw_folder / header.StudyInstanceUID / header.SeriesInstanceUID
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / header.SOPInstanceUID)
        return str(header.StudyInstanceUID)

    def request(self, study: str, project: str = "demo", **more: Any) -> TransferRequest:
        self.requests += 1
        document = {
            "study_instance_uid": study,
            "transfer_project_name": project,
            "transfer_name": f"SUBJ-{self.requests:03}",
            "redcap_repeat_instance": self.requests,
        }
        return TransferRequest.model_validate(document | more)

    def id(self, request: TransferRequest) -> str:
        return request.transfer_id(KeyRing.load(self.settings.key_path))

    def drop(self, request: TransferRequest) -> str:
        """Drop a request file; return the id its run will have."""
        content = json.loads(request.model_dump_json(exclude_none=True))
        write_atomically(self.drop_folder / request.file_name, json.dumps(content))
        return self.id(request)

    def wait(self, *run_ids: str, seconds: float = 400) -> dict[str, str]:
        """Wait until runs ended; return their states."""
        return Watch(self.airflow, {}, print).until(run_ids, seconds=seconds)

    def add_project(self, name: str, **parts: Any) -> None:
        """Write a project policy like `demo`, with some parts replaced."""
        policy = yaml.safe_load((self.settings.projects / "demo.yaml").read_text()) | {"name": name} | parts
        (self.settings.projects / f"{name}.yaml").write_text(yaml.safe_dump(policy))

    def add_connection(self, connection_id: str, peer: Peer) -> None:
        """Make an Airflow connection to a PACS."""
        fields = asdict(peer)
        body = {
            "connection_id": connection_id,
            "conn_type": "dicom",
            "host": fields.pop("host"),
            "port": fields.pop("port"),
            "extra": json.dumps(fields),
        }
        self.airflow.api("DELETE", f"connections/{connection_id}", check=False)
        self.airflow.api("POST", "connections", json=body)

    def run_dag(self, dag_id: str, seconds: float = 240) -> None:
        """Run a DAG once, and wait until it has succeeded."""
        run_id = self.airflow.api("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None}).json()["dag_run_id"]
        wait_until(lambda: (self.airflow.run_of(run_id, dag_id) or {})["state"] in ("success", "failed"), seconds)
        assert self.airflow.run_of(run_id, dag_id)["state"] == "success"

    def ct_study(self, folder: Path, slices: int = 2) -> str:
        """Put a small CT study of a new patient into the raw folder; return its StudyInstanceUID."""
        return self.put_into_raw(phantoms.ct_series(folder, self.patient(), slices=slices, side=64))

    def mapped_study(self, transfer_id: str) -> str:
        """The StudyInstanceUID that a transfer's study has on the research side."""
        return next(i.path for i in self.ledger.instances(transfer_id) if i.path).split("/")[0]

    def status_row(self, request: TransferRequest) -> dict[str, Any] | None:
        """The transfers row that REDCap has for a request, or None."""
        data = {"token": self.stack.state["token"], "content": "record", "format": "json", "type": "flat"}
        data["records[0]"] = request.study_instance_uid
        rows = requests.post(self.stack.redcap_url, data=data, timeout=60).json()
        wanted = str(request.redcap_repeat_instance)
        return next((row for row in rows if str(row.get("redcap_repeat_instance")) == wanted), None)

    def wait_for_task(self, run_id: str, task_id: str, *states: str, seconds: float = 240) -> None:
        end = monotonic() + seconds
        while monotonic() < end:
            if self.airflow.run_of(run_id) and self.airflow.tasks_of(run_id)[task_id]["state"] in states:
                return
            sleep(0.1)
        raise AssertionError(f"{task_id} did not become {states}")

    def find(self, transfer_id: str) -> TransferSummary:
        summary = self.ledger.find(transfer_id)
        assert summary is not None
        counts = summary.counts
        assert counts.received == counts.sent + counts.skipped + counts.held, counts
        return summary


def wait_until(condition: Callable[[], Any], seconds: float = 240, pause: float = 0.3) -> None:
    """Wait until something has happened, looking every `pause` seconds."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not happen in time"
        sleep(pause)


@pytest.fixture(scope="session")
def installation(tmp_path_factory) -> Iterator[Installation]:
    require("Orthanc")
    docker = docker_answers() or os.environ.get("CI", "").lower() == "true"
    settings = {
        "AIRLOCK_REWRITER": "docker" if docker else "auto",
        # The studies have one or two instances: a second worker would only be started, and have nothing to do.
        "AIRLOCK_WORKERS": "1",
        "AIRLOCK_STUDY_IDLE_SECONDS": "1",
        "AIRLOCK_STUDY_WAIT_MINUTES": "0.1",
        "AIRLOCK_RETRY_SECONDS": "1",
        "AIRLOCK_SETTLE_SECONDS": "1",
        "AIRLOCK_PROJECTS_CONNECTION": "project_list",
        "AIRLOCK_MAIL_CONNECTION": "mail",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        # A killed task is noticed by its missing heartbeat.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    }
    stack = Stack(tmp_path_factory.mktemp("airlock"), settings, airflow_port=0)
    try:
        stack.prepare_rewriter(print)
        stack.start(print)
        yield Installation(stack)
    finally:
        stack.stop()
