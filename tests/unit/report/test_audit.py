"""The audit of a transfer, and the command that checks its history."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airlock.cli import main
from airlock.database import connect
from airlock.ledger import Asked, InstanceState, InstanceUpdate, TransferState
from airlock.report.audit import as_html, audit
from airlock.report.words import STATES, STEPS
from airlock.request.store import RequestStore, StoredRequest
from airlock.settings import load_settings
from airlock.transfer import open_ledger


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path))
    load_settings.cache_clear()
    ledger = open_ledger(load_settings())
    ledger.register("t", project="Demo <b>")
    ledger.claim("t", "t")
    ledger.event("t", "pull_study", "started", attempt=1)
    ledger.event("t", "pull_study", "failed", error="PeerUnavailable", message="down")
    ledger.event("t", "pull_study", "started", attempt=2)
    ledger.event("t", "pull_study", "finished", seconds=0.1, received=3)
    ledger.record(
        "t",
        [
            InstanceUpdate("i-a", InstanceState.SENT, sop_instance_uid="2.25.1", status=0, boxes=2),
            InstanceUpdate("i-b", InstanceState.SKIPPED, reason="presentation state"),
            InstanceUpdate("i-c", InstanceState.HELD, reason="not DICOM"),
        ],
    )
    ledger.move("t", TransferState.SENT)
    yield ledger
    load_settings.cache_clear()


def change(statement):
    with connect(load_settings().ledger).begin() as connection:
        connection.exec_driver_sql(statement)


def test_facts(ledger):
    facts = audit(ledger, "t")
    assert facts["counts"] == {"in": 3, "sent": 1, "skipped": 1, "held": 1, "open": 0, "boxes": 2}
    assert [(s["step"], s["ended"], s["told"].get("received")) for s in facts["steps"]] == [
        ("pull_study", "failed", None),
        ("pull_study", "finished", 3),
    ]
    assert facts["instances"][0]["c_store_status"] == "0x0000"
    assert facts["reasons"] == {"skipped: presentation state": 1, "held: not DICOM": 1}
    assert facts["chain"]["problem"] == ""
    json.dumps(facts)


def test_page(ledger):
    page = as_html(audit(ledger, "t"))
    assert "Demo &lt;b&gt;" in page
    assert "It was not changed" in page
    assert not re.search(r"(src|href)=", page)


def test_commands(ledger, tmp_path, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return ended.value.code, capsys.readouterr().out

    status, out = run("audit", "report", "t")
    assert (status, json.loads(out)["transfer"]) == (0, "t")
    assert run("audit", "report", "t", "--html", str(tmp_path / "a.html"), "--json", str(tmp_path / "a.json"))[0] == 0
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    status, out = run("audit", "verify")
    assert (status, out.strip()) == (0, "1 transfers, 0 changed")
    noted = ledger.verify_chain("t").head
    assert run("audit", "verify", "t", "--head", noted)[0] == 0
    assert run("audit", "verify", "t", "--head", "0" * 64)[0] == 3
    change("DELETE FROM events WHERE kind = 'failed'")
    status, out = run("audit", "verify")
    assert status == 3
    assert "t: event 3 was changed" in out


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE instances SET state = 'sent' WHERE id = 'i-c'", "instances"),
        ("UPDATE instances SET reason = '' WHERE id = 'i-b'", "instances"),
        ("DELETE FROM instances WHERE id = 'i-c'", "instances"),
        ("UPDATE transfers SET project = 'Other'", "its row"),
        ("UPDATE transfers SET state = 'empty'", "say sent, its row says empty"),
    ],
)
def test_rows_changed_after_the_end_are_found(ledger, statement, words):
    assert not ledger.verify_chain("t").problem
    change(statement)
    assert words in ledger.verify_chain("t").problem


def test_what_airlock_itself_changes_after_the_end_is_sealed_again(ledger):
    assert ledger.settle("t", ["i-c"], InstanceState.SKIPPED, "dropped") == 1
    assert not ledger.verify_chain("t").problem
    ledger.resume("t")
    ledger.record("t", [InstanceUpdate("i-c", InstanceState.HELD)])
    assert not ledger.verify_chain("t").problem
    ledger.move("t", TransferState.WITHDRAWN)
    assert not ledger.verify_chain("t").problem


def test_a_transfer_that_was_removed_is_missed(ledger, capsys):
    stored = StoredRequest("r.json", "{}", datetime.now(UTC))
    RequestStore(load_settings().proc_folder).put("transfer-gone", stored)
    with pytest.raises(SystemExit) as ended:
        main(["audit", "verify"])
    assert ended.value.code == 3
    assert "transfer-gone: its request is kept" in capsys.readouterr().out


def test_who_asked_who_decided_and_by_which_rules(ledger):
    ledger.register("u", asked=Asked("page", "ann"))
    ledger.claim("u", "u")
    rules = {"title": {"value": "Phantoms", "said_by": "REDCap"}}
    ledger.event("u", "accept_request", "started", attempt=1)
    ledger.event("u", "accept_request", "finished", policy="f" * 64, rules=rules, versions={"airlock": "1.2"})
    ledger.event("u", "rewrite", "container", name="airlock/x:latest", image="sha256:abc")
    ledger.event("u", "review", "answered", gate="review_findings", answer="Release", person="bob", reason="no text")
    ledger.move("u", TransferState.SENT)
    facts = audit(ledger, "u")
    assert [(p["by"], p["did"], p.get("door"), p.get("answer")) for p in facts["people"]] == [
        ("ann", "asked", "page", None),
        ("bob", "answered", None, "Release"),
    ]
    assert [(s["before"], s["after"]) for s in facts["states"]] == [("requested", "running"), ("running", "sent")]
    assert (facts["rules"], facts["image"], facts["versions"]) == (rules, "sha256:abc", {"airlock": "1.2"})
    page = as_html(facts)
    assert all(word in page for word in ("ann", "bob", "Phantoms", "sha256:abc", " UTC", "no text"))


def test_the_page_says_what_it_means_to_somebody_who_knows_no_airflow(ledger):
    rules = {"title": {"value": "Phantoms", "said_by": "file"}}
    told = {"policy": "f" * 64, "rules": rules, "profile": "2026d clean_descriptors", "versions": {"rapidocr-x": "1.4"}}
    ledger.event("t", "accept_request", "started", attempt=1)
    ledger.event("t", "accept_request", "finished", **told)
    ledger.event("t", "hook", "called", name="our/hook:1", point="after_confirm", image="sha256:abc")
    page = as_html(audit(ledger, "t"))
    assert "Every instance that goes on was seen at each destination." in page
    assert "Fetching its files." in page
    assert "2026d clean_descriptors" in page
    assert "rapidocr-x (text detector, with its models)" in page
    assert "our/hook:1 <code>sha256:abc</code>" in page
    assert "<th>proven stored</th>" in page
    ledger.move("t", TransferState.WITHDRAWN)
    page = as_html(audit(ledger, "t"))
    assert "withdrawn/t.csv" in page
    assert "<th>were proven stored</th>" in page


def test_every_state_and_every_step_has_its_words():
    chain = (Path(__file__).parents[3] / "dags" / "transfer.py").read_text("utf-8")
    tasks = set(re.findall(r'task_id="(\w+)"', chain))
    assert set(STATES) == set(TransferState)
    assert set(STEPS) == tasks - {"report_failure"}


def test_status_says_of_which_zone_its_times_are(ledger, monkeypatch, capsys):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        with pytest.raises(SystemExit):
            main(["status", "t"])
    finally:
        monkeypatch.undo()
        time.tzset()
    out = capsys.readouterr().out
    times = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ?(\S+)", out)
    assert len(times) > len(ledger.history("t"))
    assert set(times) == {"+0545"}
