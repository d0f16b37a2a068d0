"""Work waits while there is no room, and what nobody needs leaves the disk."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airlock import disk
from airlock.errors import DiskFull
from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock.request.drop import settled_files
from airlock_provider import housekeeping, intake, triggers
from airlock_provider.operators.request import ArchiveRequestOperator
from airlock_provider.operators.step import TransferStepOperator
from tests.transfers import make_transfer

GB = 1_000_000_000


@pytest.fixture
def free(monkeypatch):
    """Sets how many gigabytes are free."""
    left = {"gigabytes": 100.0}
    usage = lambda _path: SimpleNamespace(free=left["gigabytes"] * GB)  # noqa: E731 - a function of one line
    monkeypatch.setattr(disk.shutil, "disk_usage", usage)
    return lambda gigabytes: left.update(gigabytes=gigabytes)


@pytest.fixture
def transfer(tmp_path, monkeypatch):
    transfer = make_transfer(tmp_path, settings={"min_free_gigabytes": 10, "settle_seconds": 0})
    for module in (intake, housekeeping, triggers):
        monkeypatch.setattr(module, "load_settings", lambda: transfer.settings)
    return transfer


def test_the_intake_stops_below_the_mark_and_loses_nothing(transfer, free):
    folder = transfer.settings.drop_folder
    folder.mkdir(parents=True)
    document = {"study_instance_uid": "1.2.9", "transfer_project_name": "Trial", "transfer_name": "T-9"}
    (folder / "a.json").write_text(json.dumps(document))
    look = triggers.RequestTrigger(str(folder), 0, 1)._look
    free(9.9)
    assert not look()
    assert intake.read_requests() == []
    assert len(settled_files(folder, 0)) == 1
    free(10.1)
    assert look()
    assert len(intake.read_requests()) == 1


def test_what_is_missing_is_told_exactly_enough(transfer, free):
    """A small study, and room that lacks a little: three equal numbers would say nothing."""
    transfer.ledger.record(transfer.id, [InstanceUpdate("i-1", InstanceState.RECEIVED, size=22_000_000)])
    free(10.021)
    settings = transfer.settings.model_copy(update={"min_free_gigabytes": 10.0})
    with pytest.raises(DiskFull, match=r"10\.02 GB are free, 0\.022 GB are needed"):
        disk.check_room(settings, 22_000_000)


def test_a_study_is_not_begun_when_it_would_not_fit(transfer, free, monkeypatch):
    transfer.ledger.record(transfer.id, [InstanceUpdate(f"i-{n}", InstanceState.RECEIVED, size=GB) for n in range(3)])
    careful, careless = (
        TransferStepOperator(task_id=f"step_{room}", step="airlock.transfer:workspace_name", room=room)
        for room in (True, False)
    )
    monkeypatch.setattr("airlock.transfer.workspace_name", lambda transfer: transfer.id, raising=False)
    free(12.9)
    with pytest.raises(DiskFull, match=r"12\.9 GB are free, 3 GB are needed, and 10 GB must stay free"):
        careful.call(transfer)
    assert careless.call(transfer) == transfer.id
    free(13.0)
    assert careful.call(transfer) == transfer.id


def test_the_folders_need_not_exist(tmp_path):
    transfer = make_transfer(tmp_path)
    elsewhere = transfer.settings.model_copy(update={"home": tmp_path / "not" / "there", "proc": None})
    assert disk.free_bytes(elsewhere) > 0


def fill(transfer):
    for name in ("incoming", "findings", "flagged", "rewritten", "deidentified", "report"):
        for folder in (transfer.workspace.folder(name), transfer.workspace.partial(name)):
            folder.mkdir(parents=True)
            (folder / "x.dcm").write_bytes(b"pixels")


def test_nothing_of_a_study_stays_after_success(transfer):
    transfer.ledger.claim(transfer.id, transfer.id)
    fill(transfer)
    transfer.ledger.record(transfer.id, [InstanceUpdate("i-1", InstanceState.SENT)])
    ArchiveRequestOperator(task_id="archive_request")._archive(transfer)
    assert not transfer.workspace.root.exists()
    assert list(transfer.settings.transfers_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("state", "days", "kept"),
    [
        (TransferState.FAILED, 13, True),
        (TransferState.FAILED, 15, False),
        (TransferState.CANCELLED, 15, False),
        (TransferState.HELD, 400, True),
        (TransferState.PREPARED, 13, True),
        (TransferState.SENT, 0.01, True),
        (TransferState.SENT, 0.5, False),
        (TransferState.EMPTY, 0.5, False),
        (TransferState.RUNNING, 400, True),
    ],
)
def test_how_long_a_workspace_is_kept(transfer, state, days, kept):
    transfer.ledger.claim(transfer.id, transfer.id)
    fill(transfer)
    if state is not TransferState.RUNNING:
        transfer.ledger.move(transfer.id, state)
    housekeeping.remove_expired_workspaces(datetime.now(UTC) + timedelta(days=days))
    assert transfer.workspace.root.exists() is kept


def test_a_folder_of_no_transfer_goes_after_the_same_time(transfer):
    stray = transfer.settings.transfers_folder / "transfer-nobody"
    (stray / "incoming").mkdir(parents=True)
    assert housekeeping.remove_expired_workspaces() == 0
    long_ago = time.time() - 15 * 86400
    os.utime(stray, (long_ago, long_ago))
    assert housekeeping.remove_expired_workspaces() == 1
    assert not stray.exists()
