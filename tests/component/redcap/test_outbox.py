"""The outbox against the sandbox: whatever REDCap does, it is told in the end, and what it was told last is true."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airlock.database import upgrade
from airlock.errors import InvalidRequest
from airlock.ledger import Ledger, TransferState
from airlock.project import ProjectPolicy, RedcapPolicy
from airlock.redcap import Outcome, RedcapClient
from airlock.redcap.outbox import deliver, owe
from airlock.redcap.sandbox import RedcapSandbox
from airlock.request import TransferRequest

UID = "1.2.826.0.1.3680043.8.498.9002"
KEY = {"study_instance_uid": UID, "redcap_repeat_instrument": "transfers", "redcap_repeat_instance": 2}
POLICY = ProjectPolicy(name="Demo", redcap=RedcapPolicy())
REQUEST = TransferRequest.model_validate(KEY | {"transfer_project_name": "Demo", "transfer_name": "Subject-1"})
RUNNING = Outcome(TransferState.RUNNING)
SENT = Outcome(TransferState.SENT, "", ("2.25.7",), True, None, 3.2)


@pytest.fixture
def ledger(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url, "ledger")
    ledger = Ledger(url)
    ledger.register("t")
    return ledger


@pytest.fixture
def sandbox():
    with RedcapSandbox() as running:
        client = RedcapClient(running.url, running.token, pause_seconds=0.01)
        client.import_records([KEY | {"transfer_project_name": "Demo", "transfer_name": "Subject-1"}])
        running.received.clear()
        yield running


def tell(ledger, sandbox, **changes):
    client = replace(RedcapClient(sandbox.url, sandbox.token, attempts=1, timeout_seconds=1), **changes)
    return deliver(ledger, ledger.statuses.owed(), lambda _: (REQUEST, POLICY), lambda _: client)


def row(sandbox):
    return next(r for r in sandbox.records if r["redcap_repeat_instance"] == 2)


def test_running_then_sent(ledger, sandbox):
    owe(ledger, "t", RUNNING)
    assert tell(ledger, sandbox).told == 1
    assert json.loads(row(sandbox)["transfer_error_message"]) == {"state": "running"}
    owe(ledger, "t", SENT)
    assert tell(ledger, sandbox).told == 1
    assert row(sandbox)["transfer_error_message"] == ""
    assert str(row(sandbox)["transfers_complete"]) == "2"
    assert tell(ledger, sandbox).told == 0
    assert [detail["state"] for _, step, kind, detail in ledger.events("t") if kind == "told"] == ["running", "sent"]


def test_redcap_away_then_back(ledger, sandbox):
    owe(ledger, "t", SENT)
    for attempt in range(3):
        delivery = tell(ledger, sandbox, url="http://127.0.0.1:9/api/")
        assert (delivery.told, delivery.later) == (0, 1)
        (owed,) = ledger.statuses.owed()
        assert owed.attempts == attempt + 1
        assert owed.next_at - datetime.now(UTC) < timedelta(minutes=2)
    assert "no connection" in owed.problem
    assert ledger.statuses.owed(due=datetime.now(UTC)) == []
    assert tell(ledger, sandbox).told == 1
    assert str(row(sandbox)["transfers_complete"]) == "2"


def test_the_pause_never_exceeds_a_quarter_of_an_hour(ledger, sandbox):
    owe(ledger, "t", SENT)
    (owed,) = ledger.statuses.owed()
    for attempts in (8, 1000):
        deliver(
            ledger,
            [replace(owed, attempts=attempts)],
            lambda _: (REQUEST, POLICY),
            lambda _: RedcapClient("http://127.0.0.1:9/api/", "T", attempts=1),
        )
        (later,) = ledger.statuses.owed()
        assert timedelta(minutes=14) < later.next_at - datetime.now(UTC) <= timedelta(minutes=15)


def test_a_refused_token_is_told_once_it_is_mended(ledger, sandbox):
    owe(ledger, "t", SENT)
    delivery = tell(ledger, sandbox, token="0" * 32)
    assert delivery.later == 1
    assert "token" in delivery.problems[0]
    assert tell(ledger, sandbox).told == 1


def test_one_that_cannot_be_told_does_not_disturb_the_others(ledger, sandbox):
    ledger.register("lost")
    owe(ledger, "lost", SENT)
    owe(ledger, "t", SENT)

    def request_of(transfer_id):
        if transfer_id == "lost":
            raise InvalidRequest("No request is kept.")
        return REQUEST, POLICY

    client = RedcapClient(sandbox.url, sandbox.token)
    delivery = deliver(ledger, ledger.statuses.owed(), request_of, lambda _: client)
    assert (delivery.told, delivery.later, delivery.problems) == (1, 1, ("No request is kept.",))


def test_a_locked_record_is_told_once_it_is_unlocked(ledger, sandbox):
    """REDCap refuses every change of a locked record until somebody unlocks it, which may take days."""
    owe(ledger, "t", SENT)
    sandbox.lock(UID)
    delivery = tell(ledger, sandbox)
    assert (delivery.told, delivery.later) == (0, 1)
    assert not any(value for name, value in row(sandbox).items() if name == "transfer_date")
    sandbox.lock()
    assert tell(ledger, sandbox).told == 1
    assert row(sandbox)["transfer_date"]


@pytest.mark.parametrize("retry_seconds", [1.0, 60.0])
def test_the_pauses_follow_the_deployments_unit(ledger, sandbox, retry_seconds):
    owe(ledger, "t", SENT)
    for attempts, factor in ((0, 1), (3, 8), (50, 60)):
        (owed,) = ledger.statuses.owed()
        before = datetime.now(UTC)
        deliver(
            ledger,
            [replace(owed, attempts=attempts)],
            lambda _: (REQUEST, POLICY),
            lambda _: RedcapClient("http://127.0.0.1:9/api/", "T", attempts=1),
            retry_seconds,
        )
        (later,) = ledger.statuses.owed()
        pause = (later.next_at - before).total_seconds()
        assert factor * retry_seconds <= pause < factor * retry_seconds + 5
