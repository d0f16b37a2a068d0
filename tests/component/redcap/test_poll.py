"""What REDCap asks for, against the sandbox."""

from __future__ import annotations

import json

import pytest

from airlock.database import upgrade
from airlock.identity.keys import KeyRing
from airlock.ledger import Ledger, TransferState
from airlock.redcap import Outcome, RedcapClient
from airlock.redcap.outbox import owe
from airlock.redcap.poll import poll
from airlock.redcap.sandbox import RedcapSandbox

KEYS = KeyRing(bytes(32))


def row(number: int, **more: object) -> dict[str, object]:
    return {
        "study_instance_uid": f"1.2.826.0.1.3680043.8.498.{number}",
        "redcap_repeat_instrument": "transfers",
        "redcap_repeat_instance": 1,
        "transfer_project_name": "Demo",
        "transfer_name": f"SUBJ-{number}",
        "transfer_requested_date": f"2026-03-04 10:{59 - number:02}",
        **more,
    }


@pytest.fixture
def ledger(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url, "ledger")
    return Ledger(url)


@pytest.fixture
def sandbox():
    with RedcapSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    return RedcapClient(sandbox.url, sandbox.token, pause_seconds=0.01)


def test_rows_without_a_date_oldest_first(client, ledger):
    client.import_records(
        [
            row(1),
            row(2, redcap_repeat_instance=3),
            row(3, transfer_date="2026-03-04 12:00"),
            row(4, transfer_name=""),
            row(5, transfer_project_name=""),
        ]
    )
    client.import_records([{"study_instance_uid": "1.2.826.0.1.3680043.8.498.6", "study_description": "CT"}])
    asked = poll(client, ledger, KEYS)
    assert [wanted.request.transfer_name for wanted in asked.wanted] == ["SUBJ-2", "SUBJ-1"]
    assert asked.wanted[0].request.redcap_repeat_instance == 3
    assert not any(wanted.again for wanted in asked.wanted)


def test_only_what_is_not_under_way(client, ledger):
    client.import_records([row(1)])
    (wanted,) = poll(client, ledger, KEYS).wanted
    ledger.register(wanted.transfer_id)
    # Its run was never started: the poll was killed in between.
    assert len(poll(client, ledger, KEYS).wanted) == 1
    ledger.claim(wanted.transfer_id, wanted.transfer_id)
    assert poll(client, ledger, KEYS).wanted == []


def test_a_row_whose_date_was_cleared_is_asked_for_again(client, ledger):
    client.import_records([row(1)])
    transfer_id = poll(client, ledger, KEYS).wanted[0].transfer_id
    ledger.register(transfer_id)
    ledger.claim(transfer_id, transfer_id)
    owe(ledger, transfer_id, Outcome(TransferState.SENT))
    ledger.move(transfer_id, TransferState.SENT)
    # REDCap does not know yet: an empty date means nothing.
    assert poll(client, ledger, KEYS).wanted == []
    ledger.statuses.confirmed(ledger.statuses.owed()[0])
    (again,) = poll(client, ledger, KEYS).wanted
    assert again.again
    client.import_records([row(1, transfer_date="2026-03-04 12:00")])
    assert poll(client, ledger, KEYS).wanted == []


def test_a_row_that_is_no_request_is_told_why(client, sandbox, ledger):
    client.import_records([row(1, transfer_name="a\\b"), row(2)])
    asked = poll(client, ledger, KEYS)
    assert (len(asked.wanted), asked.refused) == (1, 1)
    told = next(
        r for r in sandbox.records if str(r["study_instance_uid"]).endswith(".1") and r["redcap_repeat_instance"]
    )
    assert told["transfer_date"]
    assert str(told["transfer_error___1"]) == "1"
    assert "transfer_name" in json.loads(told["transfer_error_message"])["error"]
    assert poll(client, ledger, KEYS).refused == 0


def test_other_field_names(client, ledger, monkeypatch):
    rows = [row(1) | {"xfer_subject": "SUBJ-9"}]
    del rows[0]["transfer_name"]
    monkeypatch.setattr(client, "export_records", lambda **_: rows)
    (wanted,) = poll(client, ledger, KEYS, {"transfer_name": "xfer_subject"}).wanted
    assert wanted.request.transfer_name == "SUBJ-9"
