"""Transfers for tests of steps."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import yaml

from airlock.dicomio.header import read_header
from airlock.identity.keys import KeyRing
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.request.model import validate_request
from airlock.request.store import RequestStore, StoredRequest
from airlock.settings import Settings
from airlock.transfer import Transfer, open_ledger

# For tests that count what a PACS is asked for.
NO_GUARD = {"source": {"guard": False}}


def make_transfer(
    tmp_path: Path, *, study_uid: str = "1.2.3.4", policy: dict | None = None, settings: dict | None = None, **request
) -> Transfer:
    """Return an accepted transfer in a temporary home.

    :param policy: content of the project's policy file; its name is `Trial` when not given.
    :param settings: settings besides `home`, `raw` (`<tmp_path>/raw`) and `projects`.
    :param request: fields of the request.
    """
    projects = tmp_path / "projects"
    projects.mkdir(parents=True, exist_ok=True)
    (projects / "Trial.yaml").write_text(yaml.safe_dump({"name": "Trial", **(policy or {})}))
    given = {"home": tmp_path / "home", "raw": tmp_path / "raw", "projects": projects, **(settings or {})}
    configured = Settings(**given)
    fields = {"transfer_project_name": "Trial", "transfer_name": "T-001"}
    if study_uid:
        fields["study_instance_uid"] = study_uid
    document = {**fields, **request}
    parsed = validate_request(document)
    transfer_id = parsed.transfer_id(KeyRing.load(configured.key_path))
    arrived = datetime.now(UTC)
    stored = StoredRequest(parsed.file_name, json.dumps(document), arrived)
    RequestStore(configured.proc_folder).put(transfer_id, stored)
    open_ledger(configured).register(transfer_id, arrived, "Trial")
    return Transfer.open(transfer_id, configured)


def make_ready(transfer: Transfer, files: dict[str, Path]) -> list[str]:
    """Put files into `deidentified` as if they were de-identified, and mark them ready; return their ids."""
    updates = []
    for sop_uid, source in files.items():
        header = read_header(source)
        path = Path(header["study_instance_uid"], header["series_instance_uid"], f"{sop_uid}.dcm")
        target = transfer.workspace.folder("deidentified") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        updates.append(
            InstanceUpdate(
                transfer.instance_id(f"original of {sop_uid}"),
                InstanceState.READY,
                sop_instance_uid=sop_uid,
                path=str(path),
            )
        )
    transfer.ledger.record(transfer.id, updates)
    return [update.id for update in updates]
