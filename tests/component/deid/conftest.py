"""A transfer on disk, with its ledger, request, policy and key, as the chain makes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from airlock.findings import FILE_NAME, Findings, InstanceFindings
from airlock.identity.keys import KeyRing
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.request import parse_request
from airlock.request.store import RequestStore, StoredRequest
from airlock.settings import Settings
from airlock.transfer import Transfer, open_ledger

STUDY = "1.2.276.0.7230010.3.1.2.100"
MakeTransfer = Callable[..., Transfer]


@pytest.fixture
def make_transfer(tmp_path: Path) -> MakeTransfer:
    """Return a function that makes a transfer of the given datasets."""

    def make(
        datasets: list[Dataset], options: tuple[str, ...] = (), rewritten: tuple[int, ...] = (), event: str = ""
    ) -> Transfer:
        settings = Settings(home=tmp_path / "home", projects=tmp_path / "projects", workers=2)
        settings.projects.mkdir(exist_ok=True)
        policy = {"name": "Study One", "deidentify": {"options": list(options)}}
        (settings.projects / "one.yaml").write_text(yaml.safe_dump(policy))
        document = {
            "study_instance_uid": STUDY,
            "transfer_project_name": "Study One",
            "transfer_name": "ONE-001",
            "transfer_event_name": event,
        }
        content = json.dumps(document)
        keys = KeyRing.load(settings.key_path)
        transfer_id = parse_request(content).transfer_id(keys)
        RequestStore(settings.proc_folder).put(transfer_id, StoredRequest("r.json", content, datetime.now(UTC)))
        open_ledger(settings).register(transfer_id, project="Study One")
        transfer = Transfer.open(transfer_id, settings)
        fill(transfer, datasets, rewritten)
        return transfer

    return make


def fill(transfer: Transfer, datasets: list[Dataset], rewritten: tuple[int, ...]) -> None:
    """Write the incoming files, the rewritten ones, the findings and the ledger rows."""
    incoming, changed = transfer.workspace.folder("incoming"), transfer.workspace.folder("rewritten")
    incoming.mkdir(parents=True)
    changed.mkdir()
    findings: dict[str, InstanceFindings] = {}
    for number, dataset in enumerate(datasets):
        name = transfer.instance_id(str(dataset.SOPInstanceUID))
        dcmwrite(incoming / f"{name}.dcm", dataset, enforce_file_format=True)
        if number in rewritten:
            findings[name] = InstanceFindings({0: [(0, 0, 5, 5)]}, ["ocr"])
            dcmwrite(changed / f"{name}.dcm", dataset, enforce_file_format=True)
        transfer.ledger.record(transfer.id, [InstanceUpdate(name, InstanceState.RECEIVED)])
    folder = transfer.workspace.folder("findings")
    folder.mkdir()
    Findings(len(datasets), findings).write(folder / FILE_NAME)
