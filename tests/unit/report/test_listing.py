"""The list of transfers: pages of it, and what there is besides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airlock.ledger import InstanceState, InstanceUpdate, Ledger, TransferState
from airlock.report.listing import listing
from airlock.settings import Settings
from airlock.transfer import open_ledger

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    ledger = open_ledger(Settings(home=tmp_path))
    for number in range(7):
        name = f"t-{number}"
        ledger.register(name, NOW - timedelta(hours=number), "A" if number % 2 else "B")
        if number > 2:
            ledger.claim(name, name)
            ledger.record(name, [InstanceUpdate("i", InstanceState.SENT)])
            ledger.move(name, TransferState.SENT)
    ledger.register("old", NOW - timedelta(days=9), "C")
    return ledger


def ids(found):
    return [row["transfer"] for row in found["transfers"]]


def test_pages_go_from_the_latest_to_the_oldest(ledger):
    since = NOW - timedelta(days=1)
    first = listing(ledger, since, part=slice(0, 3))
    assert (ids(first), first["total"]) == (["t-0", "t-1", "t-2"], 7)
    assert ids(listing(ledger, since, part=slice(6, 9))) == ["t-6"]
    assert first["states"] == {"requested": 3, "sent": 4}
    assert first["projects"] == ["A", "B"], "those of the time that is asked for"
    assert listing(ledger, NOW - timedelta(days=30))["total"] == 8


def test_a_project_and_a_state(ledger):
    found = listing(ledger, NOW - timedelta(days=1), "A", TransferState.SENT)
    assert (ids(found), found["total"]) == (["t-3", "t-5"], 2)
    assert found["states"] == {"requested": 1, "sent": 2}, "of the project, whatever state is asked for"
    assert [row["sent"] for row in found["transfers"]] == [1, 1]
    assert listing(ledger, NOW - timedelta(days=1), "A", TransferState.FAILED)["total"] == 0
