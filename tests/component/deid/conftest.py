"""A transfer on disk, with its ledger, request, policy and key, as the chain makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from airlock.findings import FILE_NAME, Findings, InstanceFindings
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.transfer import Transfer
from tests.synthetic import STUDY
from tests.transfers import make_transfer as accept

MakeTransfer = Callable[..., Transfer]


@pytest.fixture
def make_transfer(tmp_path: Path) -> MakeTransfer:
    """Return a function that makes a transfer of the given datasets."""

    def make(
        datasets: list[Dataset], options: tuple[str, ...] = (), rewritten: tuple[int, ...] = (), event: str = ""
    ) -> Transfer:
        transfer = accept(
            tmp_path,
            study_uid=STUDY,
            policy={"name": "Study One", "deidentify": {"options": list(options)}},
            settings={"workers": 2},
            transfer_project_name="Study One",
            transfer_name="ONE-001",
            transfer_event_name=event,
        )
        fill(transfer, datasets, rewritten)
        return transfer

    return make


def fill(transfer: Transfer, datasets: list[Dataset], rewritten: tuple[int, ...] = ()) -> None:
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
