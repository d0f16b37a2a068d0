"""Metrics are what the ledger's events and instances add up to."""

from __future__ import annotations

import csv
import io
import json
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airlock.database import upgrade
from airlock.errors import PeerUnavailable
from airlock.ledger import InstanceState, InstanceUpdate, Ledger, TransferState
from airlock.report.metrics import metrics, write_tsv
from airlock.settings import load_settings
from airlock_provider.operators import step as step_module
from tests.commands import airlock
from tests.transfers import make_transfer

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
MB = 1_000_000


@pytest.fixture
def ledger(tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url, "ledger")
    ledger = Ledger(url)
    for name, state, finished in (
        ("a", TransferState.SENT, 1),
        ("b", TransferState.SENT, 25),
        ("c", TransferState.FAILED, 1),
    ):
        ledger.register(name, NOW - timedelta(hours=26), "Trial")
        ledger.claim(name, name)
        instances = [InstanceUpdate(f"i-{n}", InstanceState.SENT, size=50 * MB) for n in range(10)]
        ledger.record(name, instances)
        ledger.event(name, "pull_study", "finished", seconds=5.0 if name == "b" else 2.5)
        ledger.event(name, "pull", "finished", received=10)
        ledger.move(name, state)
        started, ended = NOW - timedelta(hours=26), NOW - timedelta(hours=finished)
        ledger.describe(name, started_at=started, finished_at=ended)
    ledger.event("c", "send_to_research", "failed", error="PeerUnavailable", message="x")
    ledger.register("waits", NOW - timedelta(days=30))
    ledger.register("old", NOW - timedelta(days=9))
    ledger.claim("old", "old")
    ledger.move("old", TransferState.SENT)
    return ledger


def test_numbers(ledger):
    found = metrics(ledger, NOW - timedelta(days=7), NOW)
    assert found["transfers"] == {"sent": 2, "failed": 1}
    assert (found["instances"], found["bytes"]) == (20, 1000 * MB)
    assert found["gigabytes_per_day"] == {"2026-06-14": 0.5, "2026-06-15": 0.5}
    assert found["queue"] == {"transfers": 1, "oldest_seconds": 30 * 86400}
    assert found["steps"]["pull_study"] == {
        "finished": 3,
        "failed": 0,
        "seconds_median": 2.5,
        "seconds_longest": 5.0,
        "seconds_total": 10.0,
        "instances_per_second": 3.0,
        "megabytes_per_second": 150.0,
    }
    assert found["steps"]["send_to_research"]["failed"] == 1
    assert found["steps"]["send_to_research"]["megabytes_per_second"] is None
    assert set(found["steps"]) == {"pull_study", "send_to_research"}


def test_a_line_per_transfer(ledger):
    stream = io.StringIO()
    write_tsv(ledger, ledger.transfers(since=NOW - timedelta(days=40)), stream)
    stream.seek(0)
    rows = {row["batch_id"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert list(rows["a"])[:7] == ["batch_id", "status", "size", "start", "finish", "seconds", "minutes"]
    assert (rows["a"]["status"], rows["a"]["size"], rows["a"]["minutes"]) == ("SENT", str(500 * MB), "1500.0")
    assert (rows["waits"]["status"], rows["waits"]["seconds"]) == ("REQUESTED", "")


def test_the_command(tmp_path):
    load_settings.cache_clear()
    empty = airlock("metrics", AIRLOCK_HOME=str(tmp_path))
    assert "Transfers: none" in empty.stdout
    assert json.loads(airlock("metrics", "--json", AIRLOCK_HOME=str(tmp_path)).stdout)["queue"]["transfers"] == 0
    assert airlock("metrics", "--tsv", "--days", "1", AIRLOCK_HOME=str(tmp_path)).stdout.startswith(
        "batch_id\tstatus\tsize"
    )
    load_settings.cache_clear()


def test_airflows_own_metrics_are_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        step_module, "timing", lambda name, duration: told.append((name, duration.total_seconds() >= 0))
    )
    monkeypatch.setattr(step_module, "incr", told.append)
    transfer = make_transfer(tmp_path)
    transfer.ledger.claim(transfer.id, transfer.id)
    operator = SimpleNamespace(task_id="pull_study", log=logging.getLogger("test"))
    context = {"ti": SimpleNamespace(try_number=1)}
    step_module.run_step(operator, transfer, context, lambda: 1)

    def fail():
        raise PeerUnavailable("down")

    with pytest.raises(PeerUnavailable):
        step_module.run_step(operator, transfer, context, fail)
    assert told == [("airlock.step.pull_study.duration", True), "airlock.step.pull_study.failed"]


def test_what_is_taken_back_later_took_no_longer(ledger):
    """The table, the page and REDCap count the time until it was sent, not until somebody withdrew it."""
    before = ledger.find("b")
    ledger.move("b", TransferState.WITHDRAWN, "4 to be deleted")
    after = ledger.find("b")
    assert (after.state, after.finished_at) == (TransferState.WITHDRAWN, before.finished_at)
    stream = io.StringIO()
    write_tsv(ledger, [after], stream)
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()), delimiter="\t")
    assert (row["status"], float(row["seconds"])) == ("WITHDRAWN", 3600.0)
    ledger.register("never", NOW, "Trial")
    ledger.move("never", TransferState.WITHDRAWN)
    assert ledger.find("never").finished_at is not None
