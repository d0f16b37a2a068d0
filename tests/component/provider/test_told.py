"""What REDCap and the archive are told of an ending, by the operator that every failure ends in."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airlock.errors import StudyNotFound
from airlock.ledger import TransferState
from airlock.redcap.client import RedcapClient
from airlock.redcap.sandbox import RedcapSandbox
from airlock_provider.hooks import redcap
from airlock_provider.operators import request as operators
from airlock_provider.operators.request import AcceptRequestOperator, ReportFailureOperator
from tests.transfers import make_transfer


@pytest.fixture
def sandbox(monkeypatch):
    with RedcapSandbox() as running:
        client = RedcapClient(running.url, running.token, attempts=1)
        monkeypatch.setattr(redcap, "RedcapHook", lambda _: SimpleNamespace(client=client))
        yield running


def made(tmp_path, monkeypatch, **policy):
    transfer = make_transfer(tmp_path, policy={"redcap": {"connection": "redcap"}, **policy})
    monkeypatch.setattr(operators, "load_settings", lambda: transfer.settings)
    run = SimpleNamespace(run_id=transfer.id, conf={"transfer_id": transfer.id})
    return transfer, {"ti": SimpleNamespace(try_number=1), "dag_run": run, "params": {}}


def told(sandbox):
    (row,) = [row for row in sandbox.records if row.get("redcap_repeat_instrument") == "transfers"]
    return row


def test_a_missing_study_is_told_and_archived(tmp_path, monkeypatch, sandbox):
    transfer, context = made(tmp_path, monkeypatch)
    AcceptRequestOperator(task_id="accept_request").execute(context)
    transfer.ledger.event(transfer.id, "wait_for_study", "started", attempt=1)
    error = StudyNotFound("The study is not at its source.")
    transfer.ledger.event(transfer.id, "wait_for_study", "failed", error=type(error).__name__, message=str(error))
    ReportFailureOperator(task_id="report_failure").execute(context)
    row = told(sandbox)
    assert row["transfer_date"], "a row without a date is asked for again every minute"
    assert (row["transfer_error___1"], row["transfer_error___2"], row["transfers_complete"]) == ("1", "0", "1")
    assert json.loads(row["transfer_error_message"])["step"] == "wait_for_study"
    assert transfer.ledger.find(transfer.id).state is TransferState.FAILED
    (messages,) = (transfer.settings.proc_folder / "transfers_fail").glob("*_fail_messages.log")
    assert json.loads(messages.read_text())["error"] == str(error)


@pytest.mark.parametrize(
    "rows", ["", "1.2.3.4,ann,true,,true,,", "1.2.3.4,ann,false,,true,,\n1.2.3.4,bob,true,,true,,"]
)
def test_what_nobody_released_does_not_start(tmp_path, monkeypatch, sandbox, rows):
    transfer, context = made(tmp_path, monkeypatch, reviews="reviews.csv")
    head = "study_instance_uid,user,has_phi,has_reconstruction,relevant,exclude,comment"
    (transfer.settings.projects / "reviews.csv").write_text(f"{head}\n{rows}\n")
    with pytest.raises(operators.AirlockError, match="review"):
        AcceptRequestOperator(task_id="accept_request").execute(context)
    ReportFailureOperator(task_id="report_failure").execute(context)
    assert transfer.ledger.find(transfer.id).state is TransferState.REFUSED
    assert "review" in json.loads(told(sandbox)["transfer_error_message"])["error"]
    (transfer.settings.projects / "reviews.csv").write_text(f"{head}\n1.2.3.4,ann,false,,true,,\n")
    assert AcceptRequestOperator(task_id="accept_request").execute(context)["transfer_id"] == transfer.id
