"""Series that come late at the PACS that a transfer was pulled from."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airlock.errors import PeerUnavailable
from airlock.ledger import TransferState
from airlock.retrieve.late import is_due, late_instances
from airlock.retrieve.step import pull_study
from airlock_provider import arrivals
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_transfer

STUDY = "1.2.826.0.1.3680043.8.498.4713"


@pytest.fixture
def pacs(tmp_path):
    simulated = SimulatedPacs()
    simulated.hold(make_study(tmp_path / "study", STUDY, series=1, instances=2))
    with simulated.running() as peer:
        simulated.peer = peer
        yield simulated


@pytest.fixture
def sent(pacs, tmp_path):
    """A transfer that was pulled from the PACS, and sent."""
    transfer = make_transfer(
        tmp_path,
        study_uid=STUDY,
        source={"method": "c-get", "connection": "clinical"},
        settings={"late_minutes": 10},
    )
    transfer.ledger.claim(transfer.id, transfer.id)
    transfer.ledger.event(transfer.id, "pull_study", "started")
    pull_study(transfer, pacs.peer)
    transfer.ledger.move(transfer.id, TransferState.SENT)
    return transfer


def look(transfer, monkeypatch, peer, now=None):
    """Look as the DAG does."""
    monkeypatch.setattr(arrivals, "load_settings", lambda: transfer.settings)
    monkeypatch.setattr(arrivals, "source_of", lambda _transfer: peer)
    moment = now or datetime.now(UTC) + timedelta(minutes=11)
    monkeypatch.setattr(arrivals, "datetime", type("Later", (), {"now": staticmethod(lambda _zone: moment)}))
    return arrivals.ask_for_late_series()


def test_what_the_pacs_had_is_not_late(sent, pacs, monkeypatch):
    assert look(sent, monkeypatch, pacs.peer) == {"transfers": 0, "instances": 0}
    assert [kind for _, step, kind, _ in sent.ledger.events(sent.id) if step == "late"] == ["compared"]


def test_a_series_that_came_later_is_asked_for_once(sent, pacs, monkeypatch, tmp_path):
    pacs.hold(make_study(tmp_path / "late", STUDY, series=2, instances=1))
    assert look(sent, monkeypatch, pacs.peer) == {"transfers": 1, "instances": 2}
    assert [path.name for path in sent.settings.drop_folder.iterdir()] == [f"{sent.id}.again.json"]


def test_the_raw_folder_says_nothing_of_a_study_from_a_pacs(sent):
    assert late_instances(sent) == 0
    assert not [step for _, step, _, _ in sent.ledger.events(sent.id) if step == "late"]


def test_a_pacs_is_asked_later_each_time(sent, pacs):
    summary = sent.ledger.find(sent.id)
    ended = summary.finished_at

    def due(minutes):
        return is_due(sent, summary, ended + timedelta(minutes=minutes))

    assert [due(9), due(11)] == [False, True]
    sent.ledger.event(sent.id, "late", "compared", at=(ended + timedelta(minutes=40)).isoformat())
    assert [due(50), due(79), due(81)] == [False, False, True]
    sent.ledger.event(sent.id, "late", "compared", at=(ended + timedelta(days=3)).isoformat())
    assert [due(3 * 1440 + 1439), due(4 * 1440 + 1)] == [False, True]
    never = replace(sent, settings=sent.settings.model_copy(update={"late_minutes": 0}))
    assert not is_due(never, summary, ended + timedelta(days=2))


def test_a_pacs_that_is_down_is_asked_once(sent, pacs, monkeypatch):
    asked = []

    def down(transfer, peer):
        asked.append(transfer.id)
        raise PeerUnavailable("down")

    monkeypatch.setattr("airlock.retrieve.late.late_instances", down)
    silent: set[str] = set()
    summary, later = sent.ledger.find(sent.id), datetime.now(UTC) + timedelta(minutes=11)
    monkeypatch.setattr(arrivals, "source_of", lambda _transfer: pacs.peer)
    with pytest.raises(PeerUnavailable):
        arrivals._late(summary, sent.settings, later, silent)
    assert arrivals._late(summary, sent.settings, later, silent) == 0
    assert len(asked) == 1
