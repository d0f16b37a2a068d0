"""Tasks that have nothing to do are known before they are started."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import DownstreamTasksSkipped

from airlock.findings import Findings
from airlock_provider import ahead
from airlock_provider.operators import step
from airlock_provider.operators.step import TransferStepOperator
from tests.transfers import make_transfer


def transfer_with(tmp_path, monkeypatch, found=False, **policy):
    transfer = make_transfer(tmp_path, policy=policy)
    findings = SimpleNamespace(instances={"i-1": None} if found else {})
    monkeypatch.setattr(Findings, "load", lambda _workspace: findings)
    return transfer


def test_without_findings_nobody_is_asked_and_nothing_rewritten(tmp_path, monkeypatch):
    transfer = transfer_with(tmp_path, monkeypatch)
    assert ahead.after_detection(transfer) == ["review_findings", "review_masked", "rewrite_pixels"]


def test_what_was_found_is_rewritten(tmp_path, monkeypatch):
    transfer = transfer_with(tmp_path, monkeypatch, found=True)
    assert ahead.after_detection(transfer) == ["review_findings", "review_masked"]


@pytest.mark.parametrize("mode", ["review", "hold"])
def test_where_a_person_may_be_asked_each_gate_decides(tmp_path, monkeypatch, mode):
    transfer = transfer_with(tmp_path, monkeypatch, review={"mode": mode})
    assert ahead.after_detection(transfer) == []


def test_what_a_person_drew_before_is_not_passed_over(tmp_path, monkeypatch):
    """The project asked people once: their rectangles are masked although it asks nobody now."""
    transfer = transfer_with(tmp_path, monkeypatch)
    transfer.workspace.folder("review").mkdir(parents=True)
    assert ahead.after_detection(transfer) == []


@pytest.mark.parametrize(("release", "idle"), [(False, ["release_to_research"]), (True, [])])
def test_a_release_is_asked_for_where_the_project_says_so(tmp_path, monkeypatch, release, idle):
    assert ahead.after_verification(transfer_with(tmp_path, monkeypatch, review={"release": release})) == idle


def test_the_step_skips_them_when_its_work_is_done(tmp_path, monkeypatch):
    transfer = transfer_with(tmp_path, monkeypatch)
    ti = SimpleNamespace(try_number=1)
    monkeypatch.setattr(step, "open_transfer", lambda _context: transfer)
    operator = TransferStepOperator(
        task_id="detect_burned_in_text",
        step="tests.unit.provider.test_ahead:count",
        ahead="airlock_provider.ahead:after_detection",
    )
    monkeypatch.setattr(step, "_function", {operator.step: lambda _: 3, operator.ahead: ahead.after_detection}.get)
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        operator.execute({"ti": ti})
    assert skipped.value.tasks == ["review_findings", "review_masked", "rewrite_pixels"]
    *_, (_, _, kind, detail) = transfer.ledger.events(transfer.id)
    assert (kind, detail["count"]) == ("finished", 3)
