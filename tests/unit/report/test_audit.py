"""The audit of a transfer, and the command that checks its history."""

from __future__ import annotations

import json
import re

import pytest

from airlock.cli import main
from airlock.database import connect
from airlock.ledger import InstanceState, InstanceUpdate, TransferState
from airlock.report.audit import as_html, audit
from airlock.settings import load_settings
from airlock.transfer import open_ledger


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path))
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
    return ledger


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
    with connect(load_settings().ledger).begin() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE kind = 'failed'")
    status, out = run("audit", "verify")
    assert status == 3
    assert "t: event 3 was changed" in out
