"""How a transfer ended, from what the ledger knows."""

from __future__ import annotations

import pytest

from airlock.database import upgrade
from airlock.ledger import Counts, InstanceState, InstanceUpdate, Ledger, TransferState
from airlock.report.ending import good_ending, last_failure, outcome_line
from airlock.request import Options


@pytest.fixture
def ledger(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url, "ledger")
    ledger = Ledger(url)
    ledger.register("t")
    return ledger


@pytest.mark.parametrize(
    ("step", "error", "state"),
    [
        ("accept_request", "UnknownProject", TransferState.REFUSED),
        ("send_to_research", "AssociationRejected", TransferState.FAILED),
        ("verify_output", "IdentifierFound", TransferState.HELD),
        ("pull_study", "TransferIncomplete", TransferState.FAILED),
        ("pull_study", "NoSuchClass", TransferState.FAILED),
    ],
)
def test_the_class_of_the_error_decides(ledger, step, error, state):
    ledger.event("t", step, "started")
    ledger.event("t", step, "failed", error=error, message="why")
    failure = last_failure(ledger, "t")
    assert (failure.step, failure.message, failure.state) == (step, "why", state)


def test_a_killed_task_is_named(ledger):
    ledger.event("t", "pull_study", "started")
    ledger.event("t", "pull_study", "finished")
    ledger.event("t", "deidentify", "started")
    failure = last_failure(ledger, "t")
    assert (failure.step, failure.state) == ("deidentify", TransferState.FAILED)
    assert "killed" in failure.message


def test_the_last_of_several_failures_counts(ledger):
    for step in ("pull_study", "send_to_research"):
        ledger.event("t", step, "failed", error="PeerUnavailable", message=step)
    assert last_failure(ledger, "t").step == "send_to_research"
    assert last_failure(ledger, "t").number == 2


@pytest.mark.parametrize(
    ("counts", "options", "state"),
    [
        (Counts(received=3, sent=2, skipped=1), Options(), TransferState.SENT),
        (Counts(received=3, skipped=3), Options(), TransferState.EMPTY),
        (Counts(received=3, skipped=1, held=2), Options(), TransferState.HELD),
        (Counts(received=3), Options(dry_run=True), TransferState.PREPARED),
        (Counts(received=3), Options(stop_before_send=True), TransferState.PREPARED),
    ],
)
def test_good_endings(counts, options, state):
    assert good_ending(counts, options) is state


def test_counts_are_whole_at_every_ending_and_come_back_after_it(ledger):
    states = [InstanceState.RECEIVED, InstanceState.READY, InstanceState.ACKNOWLEDGED, InstanceState.SENT]
    states += [InstanceState.SKIPPED, InstanceState.HELD]
    ledger.record("t", [InstanceUpdate(str(state), state=state) for state in states])
    assert ledger.counts("t").open == 3
    ledger.hold_open("t", "the transfer ended")
    counts = ledger.counts("t")
    assert counts.received == counts.sent + counts.skipped + counts.held == 6
    ledger.resume("t")
    assert {i.id: i.state for i in ledger.instances("t")} == {str(state): state for state in states}
    summary = ledger.find("t")
    assert "in 6, sent 1, skipped 1, held 1" in outcome_line(summary)
