"""A transfer waits for its turn at a PACS without a worker, and goes on when it has come; oldest first."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred
from pydicom.uid import generate_uid

from airlock.dicomio.peer import Peer
from airlock.dicomio.turns import Line
from airlock.errors import Cancelled, DeliveryRefused
from airlock.ledger import TransferState
from airlock_provider.operators import deliver, retrieve, waiting
from airlock_provider.operators.deliver import DeliveryOperator
from airlock_provider.operators.retrieve import PullOperator
from airlock_provider.triggers import destination
from airlock_provider.triggers.destination import DestinationTrigger
from demo.services import free_port
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

CONTEXT = {"ti": SimpleNamespace(try_number=1)}
ONE, TWO = "research_one", "research_two"
TO_BOTH = {"destinations": [{"connection": ONE, "at_a_time": 1}, {"connection": TWO, "at_a_time": 1}]}


@pytest.fixture
def use(monkeypatch):
    """Has the operators work for a transfer, with these PACSs."""
    monkeypatch.setattr(destination, "TURN_POKE_SECONDS", 0.02)

    def use(transfer, peers):
        transfer.ledger.claim(transfer.id, "run")
        monkeypatch.setattr(waiting, "open_transfer", lambda context: transfer)
        monkeypatch.setattr(deliver, "destinations_of", lambda transfer: peers)
        monkeypatch.setattr(retrieve, "source_of", lambda transfer: peers)
        monkeypatch.setattr(destination, "load_settings", lambda: transfer.settings)
        return transfer

    return use


def pull():
    return PullOperator(task_id="pull_study", step="airlock.retrieve.step:pull_study", poke_interval=0.02)


def send():
    return DeliveryOperator(
        task_id="send_to_research", step="airlock.deliver.step:send_to_research", poke_interval=0.02
    )


@contextmanager
def taken(transfer, name):
    """The only place at a PACS is taken by another transfer."""
    with Line(str(transfer.settings.home / "slots"), name, 1).place("another"):
        yield


def deferred(task):
    with pytest.raises(TaskDeferred) as raised:
        task.execute(CONTEXT)
    assert raised.value.method_name == "execute"
    return raised.value.trigger


def fires(trigger, within=5.0):
    """Whether a trigger fires, as the triggerer runs it: made again from what is serialized."""
    _, arguments = trigger.serialize()

    async def first():
        return await asyncio.wait_for(anext(DestinationTrigger(**arguments).run()), within)

    try:
        return asyncio.run(first()).payload == {}
    except TimeoutError:
        return False


def kinds(transfer):
    steps = ("pull_study", "send_to_research")
    return [kind for _, step, kind, _ in transfer.ledger.events(transfer.id) if step in steps]


@pytest.fixture
def held(tmp_path):
    """A PACS with a study, and the transfer that pulls it, one at a time."""
    pacs, study_uid = SimulatedPacs(), generate_uid()
    pacs.hold(make_study(tmp_path / "held", study_uid, 1, 3))
    policy = {"source": {"guard": False, "at_a_time": 1, "method": "c-get", "connection": "clinic"}}
    return pacs, make_transfer(tmp_path, study_uid=study_uid, policy=policy)


def test_a_pull_waits_for_its_turn(held, use):
    pacs, transfer = held
    with pacs.running() as peer:
        use(transfer, peer)
        with taken(transfer, "pull-clinic"):
            trigger = deferred(pull())
            assert pacs.retrieved == []
            assert trigger.peers == {}
            assert 0 < trigger.seconds <= 900
            assert not fires(trigger, within=0.3)
        assert kinds(transfer) == ["started", "waiting"]
        summary = transfer.ledger.find(transfer.id)
        assert summary.state is TransferState.RUNNING
        assert summary.message.startswith("Waits. All places are taken (pull-clinic, at_a_time: 1), and 0 transfers")
        assert fires(trigger)
        assert pull().execute(CONTEXT, event={})["received"] == 3
    assert kinds(transfer) == ["started", "waiting", "started", "finished"]
    assert transfer.ledger.find(transfer.id).message == ""


def test_a_pacs_that_is_down_makes_a_pull_wait(held, use):
    pacs, transfer = held
    down = Peer("127.0.0.1", free_port(), called_aet="SIMULATED", acse_timeout=1)
    use(transfer, down)
    trigger = deferred(pull())
    assert (trigger.peers, trigger.seconds) == ({"source": asdict(down)}, None)
    assert not fires(trigger, within=0.3)
    with pacs.running() as up:
        trigger.peers = {"source": asdict(up)}
        assert fires(trigger)
        use(transfer, up)
        assert pull().execute(CONTEXT, event={})["received"] == 3
    assert "failed" not in kinds(transfer)


def test_somebody_stops_a_transfer_that_waits_for_its_turn(held, use):
    pacs, transfer = held
    with pacs.running() as peer, taken(transfer, "pull-clinic"):
        use(transfer, peer)
        trigger = deferred(pull())
        threading.Timer(0.2, transfer.ledger.ask_cancel, (transfer.id, "ford")).start()
        assert fires(trigger)
        with pytest.raises(Cancelled):
            pull().execute(CONTEXT, event={})


@pytest.fixture
def sending(tmp_path, use, monkeypatch):
    """A transfer to two destinations with a place each, and their PACSs."""
    monkeypatch.setattr("airlock.deliver.abreast._TURN_SECONDS", 0.02)
    transfer = make_transfer(tmp_path, policy=TO_BOTH, settings={"destination_wait_hours": 1})
    make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 3))
    peers = {ONE: Peer("127.0.0.1", free_port(), acse_timeout=1), TWO: Peer("127.0.0.1", free_port(), acse_timeout=1)}
    return use(transfer, peers), peers, SimulatedPacs(), SimulatedPacs()


def test_another_destination_gets_its_images_while_the_turn_at_one_is_awaited(sending):
    transfer, peers, one, two = sending
    with one.running() as peers[ONE], two.running() as peers[TWO]:
        with taken(transfer, TWO):
            trigger = deferred(send())
            assert (len(one.stored), len(two.stored)) == (3, 0)
            assert not fires(trigger, within=0.2)
        assert fires(trigger)
        send().execute(CONTEXT, event={})
    assert (len(one.stored), len(two.stored)) == (3, 3)


def test_the_turn_may_come_while_another_destination_is_served(sending):
    """The slow one holds the worker; the other one, whose turn comes meanwhile, is not kept waiting for its end."""
    transfer, peers, one, two = sending
    begun, served = threading.Event(), threading.Event()
    waited = []

    def slow(_):
        begun.set()
        waited.append(served.wait(20))

    one.on_store = slow
    two.on_store = lambda _: len(two.stored) >= 2 and served.set()
    with one.running() as peers[ONE], two.running() as peers[TWO]:
        release = threading.Event()

        def other():
            with taken(transfer, TWO):
                holds.set()
                release.wait(20)

        holds = threading.Event()
        thread = threading.Thread(target=other)
        thread.start()
        assert holds.wait(5)
        threading.Thread(target=lambda: begun.wait(20) and release.set()).start()
        send().execute(CONTEXT)
        thread.join(5)
    assert waited == [True] * 3
    assert (len(one.stored), len(two.stored)) == (3, 3)


def test_one_is_down_and_the_turn_at_the_other_is_awaited(sending):
    transfer, peers, _, two = sending
    with two.running() as peers[TWO]:
        with taken(transfer, TWO):
            trigger = deferred(send())
            assert set(trigger.peers) == {ONE}
            assert 0 < trigger.seconds <= 900
            assert not fires(trigger, within=0.2)
        assert fires(trigger)
        assert set(deferred(send()).peers) == {ONE}
        assert len(two.stored) == 3


def test_only_waiting_for_one_that_is_down_is_bounded(sending, monkeypatch):
    transfer, peers, one, two = sending
    with one.running() as peers[ONE], two.running() as peers[TWO], taken(transfer, TWO):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(DeliveryOperator, "patience", lambda self, transfer: 0)
            deferred(send())
        begun = transfer.ledger.events(transfer.id)[-1][0]
        later = SimpleNamespace(now=lambda zone: begun + timedelta(minutes=30))
        monkeypatch.setattr(deliver, "datetime", later)
        # The half hour in which its turn was awaited doesn't count.
        assert send().patience(transfer) == 3600


def test_what_a_person_must_know_is_told_before_the_turn_is_awaited(sending):
    transfer, peers, _, two = sending
    one = SimulatedPacs(store_statuses={1: 0xA900})
    with one.running() as peers[ONE], two.running() as peers[TWO]:
        with taken(transfer, TWO), pytest.raises(DeliveryRefused, match=f"{TWO}: All places are taken"):
            send().execute(CONTEXT)
        # Whoever clears the task has both served.
        assert send().execute(CONTEXT)["held"] == 0
    assert (len(set(one.stored)), len(two.stored)) == (3, 3)


def test_outside_the_hours_of_all_it_waits_until_the_first_begin(tmp_path, use):
    now = datetime.now().astimezone()
    hours = [f"{now + timedelta(hours=n):%H:%M}-{now + timedelta(hours=n + 1):%H:%M}" for n in (4, 2)]
    policy = {"destinations": [{"connection": name, "hours": [h]} for name, h in zip((ONE, TWO), hours, strict=True)]}
    transfer = make_transfer(tmp_path, policy=policy)
    make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 1))
    use(transfer, dict.fromkeys((ONE, TWO), Peer("127.0.0.1", free_port(), acse_timeout=1)))
    trigger = deferred(send())
    assert (trigger.peers, trigger.lines) == ({}, [])
    assert 1.9 * 3600 < trigger.seconds <= 2 * 3600
    assert kinds(transfer) == ["started", "waiting"]
