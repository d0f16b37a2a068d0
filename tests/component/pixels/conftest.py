from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydicom import dcmread

from airlock.identity.keys import KeyRing
from airlock.ledger import InstanceUpdate
from airlock.request.model import validate_request
from airlock.request.store import RequestStore, StoredRequest
from airlock.settings import Settings
from airlock.transfer import Transfer, open_ledger
from airlock.workspace import link_or_copy


@pytest.fixture
def transfer(tmp_path):
    """Make transfers whose instances were received: `transfer(files, rewrite=True)`."""

    def make(files: list[Path], **pixels) -> Transfer:
        projects = tmp_path / "projects"
        projects.mkdir()
        (projects / "trial.yaml").write_text(yaml.safe_dump({"name": "trial", "pixels": pixels}))
        settings = Settings(home=tmp_path / "home", projects=projects, workers=2)
        document = {"study_instance_uid": "1.2.3", "transfer_project_name": "trial", "transfer_name": "T-1"}
        request = validate_request(document)
        transfer_id = request.transfer_id(KeyRing.load(settings.key_path))
        stored = StoredRequest(request.file_name, json.dumps(document), datetime.now(UTC))
        RequestStore(settings.proc_folder).put(transfer_id, stored)
        open_ledger(settings).register(transfer_id, datetime.now(UTC), "trial")
        result = Transfer.open(transfer_id, settings)
        with result.workspace.writing("incoming") as folder:
            ids = [instance_id(result, file) for file in files]
            for name, file in zip(ids, files, strict=True):
                link_or_copy(file, folder / f"{name}.dcm")
        result.ledger.record(transfer_id, [InstanceUpdate(name) for name in ids])
        return result

    return make


def instance_id(transfer: Transfer, file: Path) -> str:
    return transfer.instance_id(
        str(dcmread(file, stop_before_pixels=True, force=True).get("SOPInstanceUID", file.name))
    )
