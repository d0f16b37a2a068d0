"""A PACS that is down makes a transfer wait: its time doesn't run, and nothing fails."""

import asyncio
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airlock.dicomio.peer import Peer
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import PeerUnavailable
from airlock_provider import sensors, triggers
from airlock_provider.sensors import StudySensor
from airlock_provider.triggers import StudyTrigger
from tests.transfers import make_transfer


def looks(*answers):
    """A `study_is_ready` that gives these answers in turn, then the last one for ever."""
    left = list(answers)
    asked = []

    def study_is_ready(transfer, peer):
        asked.append(peer)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    study_is_ready.asked = asked
    return study_is_ready


@pytest.fixture
def look(monkeypatch):
    ledger = SimpleNamespace(cancel_asked=lambda _transfer_id: False)
    monkeypatch.setattr(triggers.Transfer, "open", lambda _transfer_id: SimpleNamespace(ledger=ledger))

    def look(peer, timeout, *answers):
        ready = looks(*answers)
        monkeypatch.setattr(triggers, "study_is_ready", ready)
        trigger = StudyTrigger("t", asdict(peer), 0.02, timeout)
        kind, arguments = trigger.serialize()
        assert kind.endswith("StudyTrigger")

        async def first():
            return await anext(StudyTrigger(**arguments).run())

        return asyncio.run(first()).payload, ready.asked

    return look


DOWN = PeerUnavailable("down")
PEER = Peer("127.0.0.1", 104)


def test_time_in_which_the_pacs_is_down_does_not_count(look):
    payload, asked = look(PEER, 0.05, *[DOWN] * 10, True)
    assert payload == {"found": True}
    assert asked == [PEER] * 11


def test_a_study_that_does_not_come_to_a_pacs_that_is_up_is_not_waited_for_longer(look):
    payload, asked = look(PEER, 0.05, DOWN, False)
    assert payload == {"found": False}
    assert 2 <= len(asked) <= 5


def test_a_web_service_is_waited_for_too(look):
    peer = WebPeer("https://host/dicom-web", password="p")
    assert look(peer, 1, DOWN, True) == ({"found": True}, [peer, peer])


def test_the_task_waits_instead_of_failing(tmp_path, monkeypatch):
    source = {"method": "c-get", "connection": "staging"}
    transfer = make_transfer(tmp_path, study_uid="1.2.3", source=source)
    monkeypatch.setattr(sensors, "open_transfer", lambda context: transfer)
    # Nobody listens there.
    monkeypatch.setattr(sensors, "source_of", lambda transfer: Peer("127.0.0.1", 9, acse_timeout=1))
    with pytest.raises(TaskDeferred) as deferred:
        StudySensor(task_id="wait_for_study").execute({})
    assert isinstance(deferred.value.trigger, StudyTrigger)
    assert not [kind for _, _, kind, _ in transfer.ledger.events(transfer.id) if kind == "failed"]


def test_a_transfer_that_is_to_stop_is_not_waited_for(look, monkeypatch):
    ledger = SimpleNamespace(cancel_asked=lambda _transfer_id: True)
    monkeypatch.setattr(triggers.Transfer, "open", lambda _transfer_id: SimpleNamespace(ledger=ledger))
    payload, asked = look(PEER, 60.0, False)
    assert (payload, asked) == ({"found": True}, [])
