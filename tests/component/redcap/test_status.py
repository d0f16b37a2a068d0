"""update_redcap against the sandbox: what the users of REDCap see."""

import json

import pytest

from airlock.errors import PeerUnavailable
from airlock.ledger import TransferState
from airlock.project import ProjectPolicy, RedcapPolicy
from airlock.redcap import Outcome, RedcapClient, tell_running, update_redcap
from airlock.redcap.sandbox import RedcapSandbox
from airlock.request import TransferRequest

UID = "1.2.826.0.1.3680043.8.498.9002"
POLICY = ProjectPolicy(name="Demo", redcap=RedcapPolicy())
SENT = Outcome(TransferState.SENT, "", ("2.25.7",), True, None, 3.2)
FAILED = Outcome(TransferState.FAILED, "The PACS is full.", ("2.25.7",), False, "send_to_research", 3.2)


@pytest.fixture
def sandbox():
    with RedcapSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox):
    client = RedcapClient(sandbox.url, sandbox.token, pause_seconds=0.01)
    client.import_records([KEY | {"transfer_project_name": "Demo", "transfer_name": "Subject-1"}])
    sandbox.received.clear()
    return client


KEY = {"study_instance_uid": UID, "redcap_repeat_instrument": "transfers", "redcap_repeat_instance": 2}


def request(**options):
    return TransferRequest.model_validate(
        KEY | {"transfer_project_name": "Demo", "transfer_name": "Subject-1", "options": options}
    )


def stored(sandbox):
    (row,) = [r for r in sandbox.records if r["redcap_repeat_instance"] == 2]
    return row


def test_exactly_fionas_row_is_written(client, sandbox):
    update_redcap(request(), POLICY, client, SENT)
    (form,) = sandbox.received
    (row,) = json.loads(form.pop("data"))
    assert len(row.pop("transfer_date")) == len("2026-01-01 10:00")
    assert row == KEY | {
        "transfer_mapped_uid": "2.25.7",
        "transfer_error___1": 0,
        "transfer_error___2": 0,
        "transfer_error___3": 1,
        "transfer_active_proc_time": 3,
        "transfer_error_message": "",
        "transfers_complete": 2,
    }
    assert form == {
        "content": "record",
        "format": "json",
        "type": "flat",
        "overwriteBehavior": "overwrite",
        "forceAutoNumber": "false",
        "returnContent": "count",
        "returnFormat": "json",
    }


def test_success_clears_what_a_failure_left_and_nothing_else(client, sandbox):
    update_redcap(request(), POLICY, client, FAILED)
    row = stored(sandbox)
    assert (row["transfer_error___1"], row["transfer_error___2"], row["transfers_complete"]) == ("0", "1", "1")
    assert json.loads(row["transfer_error_message"]) == {
        "state": "failed",
        "step": "send_to_research",
        "error": "The PACS is full.",
    }
    update_redcap(request(), POLICY, client, SENT)
    row = stored(sandbox)
    assert (row["transfer_error___2"], row["transfer_error_message"], row["transfers_complete"]) == ("0", "", "2")
    assert (row["transfer_project_name"], row["transfer_name"]) == ("Demo", "Subject-1")


def test_it_survives_two_errors(client, sandbox):
    sandbox.fail_next(500, times=2)
    update_redcap(request(), POLICY, client, SENT)
    assert stored(sandbox)["transfers_complete"] == "2"


def test_it_gives_up_in_the_end(client, sandbox):
    sandbox.fail_next(500, times=9)
    with pytest.raises(PeerUnavailable):
        update_redcap(request(), POLICY, client, SENT)


def test_running_is_seen_and_leaves_no_date(client, sandbox):
    tell_running(request(), POLICY, client)
    row = stored(sandbox)
    assert (row["transfers_complete"], row["transfer_date"]) == ("0", "")
    assert json.loads(row["transfer_error_message"]) == {"state": "running"}


def test_a_dry_run_and_a_project_without_redcap_write_nothing(client, sandbox):
    for tell in (tell_running, lambda r, p, c: update_redcap(r, p, c, SENT)):
        tell(request(dry_run=True), POLICY, client)
        tell(request(), ProjectPolicy(name="Demo"), client)
    assert sandbox.received == []
