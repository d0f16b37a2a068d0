"""When a transfer goes on, and when it begins again."""

from __future__ import annotations

import pytest

from airlock.errors import DuplicateRequest
from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock.settings import Settings
from airlock.transfer import open_ledger, workspace_of
from airlock_provider.operators.request import AcceptRequestOperator


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


@pytest.fixture
def ledger(settings):
    ledger = open_ledger(settings)
    ledger.register("t")
    return ledger


def claim(ledger, settings, run_id="t"):
    AcceptRequestOperator(task_id="accept_request")._claim(ledger, "t", run_id, settings)
    return ledger.find("t")


def with_instance(ledger, settings, state):
    workspace_of("t", settings).folder("incoming").mkdir(parents=True)
    ledger.record("t", [InstanceUpdate("i", state=InstanceState.READY)])
    ledger.move("t", state)


def test_a_new_transfer_is_the_first_attempt(ledger, settings):
    summary = claim(ledger, settings)
    assert (summary.attempt, summary.state, summary.run_id) == (1, TransferState.RUNNING, "t")


def test_a_failed_one_goes_on_with_what_it_has(ledger, settings):
    with_instance(ledger, settings, TransferState.FAILED)
    summary = claim(ledger, settings)
    assert (summary.attempt, summary.counts.received) == (1, 1)
    assert workspace_of("t", settings).complete("incoming")


@pytest.mark.parametrize("state", [TransferState.SENT, TransferState.EMPTY, TransferState.PREPARED])
def test_a_finished_one_begins_again(ledger, settings, state):
    with_instance(ledger, settings, state)
    summary = claim(ledger, settings)
    assert (summary.attempt, summary.counts.received) == (2, 0)
    assert not workspace_of("t", settings).root.exists()


def test_a_failed_one_whose_workspace_expired_begins_again(ledger, settings):
    with_instance(ledger, settings, TransferState.FAILED)
    workspace_of("t", settings).purge()
    summary = claim(ledger, settings)
    assert (summary.attempt, summary.counts.received) == (2, 0)


def test_another_run_cannot_have_it(ledger, settings):
    claim(ledger, settings)
    with pytest.raises(DuplicateRequest, match="clear that run"):
        claim(ledger, settings, "other")
