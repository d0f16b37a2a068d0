"""The status row has FIONA's fields and values (predecessor's REDCap update)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from airlock.errors import PolicyError
from airlock.ledger import InstanceUpdate, TransferState, TransferSummary
from airlock.redcap.step import Outcome, mapped_uids_of, outcome_of, rename, status_fields

NOW = datetime(2026, 3, 4, 15, 6, 7, tzinfo=UTC)


def test_a_sent_study_has_no_error_and_no_message():
    outcome = Outcome(TransferState.SENT, "left over", ("2.25.1", "2.25.2"), True, None, 12.6)
    assert status_fields(outcome, NOW) == {
        "transfer_date": "2026-03-04 15:06",
        "transfer_mapped_uid": "2.25.1,2.25.2",
        "transfer_error___1": 0,
        "transfer_error___2": 0,
        "transfer_error___3": 1,
        "transfer_active_proc_time": 13,
        "transfer_error_message": "",
        "transfers_complete": 2,
    }


@pytest.mark.parametrize(
    ("state", "step", "errors", "complete"),
    [
        (TransferState.FAILED, "deidentify", (1, 0), 1),
        (TransferState.FAILED, "wait_for_study", (1, 0), 1),
        (TransferState.HELD, "verify_output", (1, 0), 1),
        (TransferState.REFUSED, None, (1, 0), 1),
        (TransferState.FAILED, "send_to_research", (0, 1), 1),
        (TransferState.REFUSED, "send_to_research", (0, 1), 1),
        (TransferState.FAILED, "confirm_receipt", (0, 1), 1),
        (TransferState.PREPARED, None, (0, 0), 1),
        (TransferState.EMPTY, None, (0, 0), 2),
    ],
)
def test_each_ending(state, step, errors, complete):
    fields = status_fields(Outcome(state, "What to do.", failed_step=step), NOW)
    assert (fields["transfer_error___1"], fields["transfer_error___2"]) == errors
    assert fields["transfer_error___3"] == 0
    assert fields["transfers_complete"] == complete
    message = json.loads(fields["transfer_error_message"])
    assert message["state"] == state.value
    assert message["error"] == "What to do."
    assert message.get("step") == step


def test_outcome_counts_the_time_to_the_end():
    start = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
    common = {
        "id": "t",
        "run_id": "t",
        "project": "p",
        "policy_digest": None,
        "message": "m",
        "expected": 1,
        "attempt": 1,
    }
    ended = TransferSummary(
        **common,
        state=TransferState.FAILED,
        arrived_at=start,
        started_at=start,
        finished_at=start + timedelta(seconds=90),
    )
    outcome = outcome_of(ended, mapped_uids=["2.25.2", "2.25.1", "2.25.2"], failed_step="send_to_research")
    assert outcome.seconds == 90
    assert outcome.mapped_uids == ("2.25.2", "2.25.1")
    assert outcome.failed_step == "send_to_research"
    running = TransferSummary(
        **common, state=TransferState.RUNNING, arrived_at=start, started_at=start, finished_at=None
    )
    assert outcome_of(running, now=start + timedelta(seconds=5)).seconds == 5
    never = TransferSummary(**common, state=TransferState.REFUSED, arrived_at=start, started_at=None, finished_at=None)
    assert outcome_of(never).seconds == 0


def test_new_study_uids_come_from_the_ledger():
    paths = ["2.25.2/2.25.3/2.25.4.dcm", None, "2.25.1/2.25.5/2.25.6.dcm", "2.25.2/2.25.3/2.25.7.dcm"]
    instances = [InstanceUpdate(f"i-{n}", path=path) for n, path in enumerate(paths)]
    assert mapped_uids_of(instances) == ["2.25.2", "2.25.1"]
    assert mapped_uids_of([]) == []


def test_fields_are_renamed():
    row = {"study_instance_uid": "1.2", "transfer_error___1": 0, "transfer_error___2": 1, "transfer_date": "d"}
    names = {"transfer_error": "xfer_err", "transfer_error___2": "send_failed___1", "transfer_date": "when"}
    assert rename(row, names) == {
        "study_instance_uid": "1.2",
        "xfer_err___1": 0,
        "send_failed___1": 1,
        "when": "d",
    }
    assert rename(row, {}) == row


@pytest.mark.parametrize("names", [{"transfer_dat": "when"}, {"transfer_date": "transfer_error___1"}])
def test_wrong_renaming_is_refused(names):
    with pytest.raises(PolicyError, match=r"redcap\.fields"):
        rename({"transfer_error___1": 0, "transfer_date": "d"}, names)
