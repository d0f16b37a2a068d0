"""A transfer that a person stops: before it runs, in the middle of a step, and when it is too late."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.journal import journal_path
from airlock.deliver.step import send_to_research
from airlock.errors import Cancelled, NotPossibleNow
from airlock.ledger import InstanceState, TransferState, cancellation
from airlock.report.ending import last_failure
from airlock.settings import load_settings
from airlock_provider.operators import request as operators
from airlock_provider.operators.request import AcceptRequestOperator, ReportFailureOperator
from airlock_provider.operators.step import run_step
from tests.commands import airlock
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer


@pytest.fixture
def transfer(tmp_path, monkeypatch):
    monkeypatch.setattr(cancellation, "_LOOK_EVERY_SECONDS", 0.0)
    transfer = make_transfer(tmp_path)
    transfer.ledger.claim(transfer.id, transfer.id)
    load_settings.cache_clear()
    yield transfer
    load_settings.cache_clear()


def context(transfer):
    run = SimpleNamespace(run_id=transfer.id, conf={"transfer_id": transfer.id})
    return {"ti": SimpleNamespace(try_number=1), "dag_run": run, "params": {}}


def operator(**more):
    return SimpleNamespace(task_id="send_to_research", log=logging.getLogger("test"), **more)


def report(transfer, monkeypatch):
    monkeypatch.setattr(operators, "load_settings", lambda: transfer.settings)
    ReportFailureOperator(task_id="report_failure").execute(context(transfer))
    return transfer.ledger.find(transfer.id)


def test_in_the_middle_of_sending(transfer, tmp_path, monkeypatch):
    monkeypatch.setattr("airlock.deliver.recorder._BATCH", 5)
    make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 40))
    pacs = SimulatedPacs(on_store=lambda n: transfer.ledger.ask_cancel(transfer.id, "ford") if n == 7 else None)
    with pacs.running() as peer, pytest.raises(Cancelled):
        run_step(operator(), transfer, context(transfer), lambda: send_to_research(transfer, peer))
    acknowledged = transfer.ledger.instances(transfer.id, InstanceState.ACKNOWLEDGED)
    assert 7 <= len(acknowledged) <= len(pacs.stored) < 40
    summary = report(transfer, monkeypatch)
    assert summary.state is TransferState.CANCELLED
    assert summary.counts.held == summary.counts.received == 40
    kept = journal_path(transfer.workspace, "research_pacs")
    assert set(transfer.workspace.root.iterdir()) <= {kept}
    # What has been sent by then is known, whoever asks for the list of it.
    listed = tmp_path / "listed.csv"
    given = {"AIRLOCK_HOME": transfer.settings.home, "AIRLOCK_PROJECTS": transfer.settings.projects}
    ended = airlock("withdraw", transfer.id, "--yes", "--out", listed, **{k: str(v) for k, v in given.items()})
    assert ended.status == 0, ended.stderr
    assert len(listed.read_text().splitlines()) - 1 >= len(pacs.stored)


def test_before_a_step(transfer):
    transfer.ledger.ask_cancel(transfer.id, "ford")
    worked = []
    with pytest.raises(Cancelled):
        run_step(operator(), transfer, context(transfer), lambda: worked.append(1))
    assert worked == []
    assert last_failure(transfer.ledger, transfer.id).state is TransferState.CANCELLED


def test_before_it_is_accepted(transfer, monkeypatch):
    transfer.ledger.ask_cancel(transfer.id, "ford")
    monkeypatch.setattr(operators, "load_settings", lambda: transfer.settings)
    with pytest.raises(Cancelled):
        AcceptRequestOperator(task_id="accept_request").execute(context(transfer))
    assert report(transfer, monkeypatch).state is TransferState.CANCELLED


def test_what_is_delivered_is_told_all_the_same_and_the_next_time_is_not_stopped(transfer):
    transfer.ledger.ask_cancel(transfer.id, "ford")
    assert run_step(operator(stoppable=False), transfer, context(transfer), lambda: 1) == {"count": 1}
    transfer.ledger.move(transfer.id, TransferState.SENT)
    assert not transfer.ledger.cancel_asked(transfer.id)
    transfer.ledger.claim(transfer.id, transfer.id)
    assert run_step(operator(), transfer, context(transfer), lambda: 2) == {"count": 2}


def test_a_cancelled_one_begins_again_from_the_start_only(transfer, monkeypatch):
    transfer.ledger.ask_cancel(transfer.id, "ford")
    with pytest.raises(Cancelled):
        run_step(operator(), transfer, context(transfer), lambda: 1)
    report(transfer, monkeypatch)
    with pytest.raises(NotPossibleNow, match="Clear its whole run"):
        run_step(operator(), transfer, context(transfer), lambda: 1)
    assert report(transfer, monkeypatch).state is TransferState.CANCELLED
    AcceptRequestOperator(task_id="accept_request").execute(context(transfer))
    summary = transfer.ledger.find(transfer.id)
    assert (summary.state, summary.attempt) == (TransferState.RUNNING, 2)
    assert run_step(operator(), transfer, context(transfer), lambda: 1) == {"count": 1}


def test_the_command(transfer):
    given = {"AIRLOCK_HOME": str(transfer.settings.home), "AIRLOCK_PROJECTS": str(transfer.settings.projects)}
    for _ in range(2):
        assert airlock("request", "cancel", transfer.id, **given).status == 0
    asked = [detail for _, _, kind, detail in transfer.ledger.events(transfer.id) if kind == "cancel"]
    assert len(asked) == 1
    assert asked[0]["by"]
    transfer.ledger.move(transfer.id, TransferState.FAILED)
    ended = airlock("request", "cancel", transfer.id, "transfer-unknown", **given)
    assert ended.status == 2
    assert "has ended (failed)" in ended.stderr
    assert "knows no such transfer" in ended.stderr
