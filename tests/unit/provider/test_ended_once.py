"""A transfer ends once, although the task that ends it is done again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock_provider.operators import request as operators
from airlock_provider.operators.request import ArchiveRequestOperator
from tests.transfers import make_transfer


@pytest.fixture
def transfer(tmp_path, monkeypatch):
    """One of which everything is proven stored."""
    transfer = make_transfer(tmp_path)
    transfer.ledger.claim(transfer.id, transfer.id)
    transfer.ledger.record(transfer.id, [InstanceUpdate("i-1", InstanceState.SENT)])
    monkeypatch.setattr(operators, "open_transfer", lambda _context: transfer)
    return transfer


def archive():
    ArchiveRequestOperator(task_id="archive_request").execute({"ti": SimpleNamespace(try_number=1)})


def endings(transfer):
    states = [detail["after"] for _, _, kind, detail in transfer.ledger.events(transfer.id) if kind == "state"]
    return [state for state in states if TransferState(state).ended]


def archives(transfer):
    return len(list((transfer.settings.proc_folder / "transfers_done").iterdir()))


def test_a_task_that_is_done_again_ends_nothing_again(transfer):
    archive()
    archive()
    assert (endings(transfer), archives(transfer)) == (["sent"], 1)


def test_after_a_step_was_done_again_it_does(transfer):
    archive()
    transfer.ledger.resume(transfer.id)
    archive()
    assert (endings(transfer), archives(transfer)) == (["sent", "sent"], 2)
