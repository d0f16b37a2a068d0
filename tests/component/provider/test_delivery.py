"""A destination that is down makes a transfer wait: without a worker, with nothing marked as failed, and bounded."""

import asyncio
import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred
from pydicom.uid import generate_uid

from airlock.dicomio.peer import Peer
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import Cancelled, DeliveryRefused, NotApproved, PeerDown
from airlock.ledger import TransferState
from airlock.report.audit import audit
from airlock_provider.operators import deliver, waiting
from airlock_provider.operators.deliver import DeliveryOperator
from airlock_provider.triggers import destination
from airlock_provider.triggers.destination import DestinationTrigger
from demo.services import free_port
from tests.commands import airlock
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

ONE, TWO = "research_one", "research_two"
CONTEXT = {"ti": SimpleNamespace(try_number=1)}


def nobody():
    return Peer("127.0.0.1", free_port(), called_aet="SIMULATED", acse_timeout=1)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes a transfer to two destinations whose peers are in the mapping that is returned with it."""

    def make(policy=None, **settings):
        given = {"destinations": [{"connection": ONE}, {"connection": TWO}], **(policy or {})}
        transfer = make_transfer(tmp_path, policy=given, settings=settings)
        transfer.ledger.claim(transfer.id, "run")
        make_ready(transfer, make_study(tmp_path / "made", generate_uid(), 1, 3))
        peers = {ONE: nobody(), TWO: nobody()}
        monkeypatch.setattr(waiting, "open_transfer", lambda context: transfer)
        monkeypatch.setattr(deliver, "destinations_of", lambda transfer: peers)
        monkeypatch.setattr(destination, "load_settings", lambda: transfer.settings)
        return transfer, peers

    return make


def task(name="send_to_research"):
    return DeliveryOperator(task_id=name, step=f"airlock.deliver.step:{name}", poke_interval=0.02)


def kinds(transfer):
    return [kind for _, step, kind, _ in transfer.ledger.events(transfer.id) if step == "send_to_research"]


def fires(trigger, within=5.0):
    """Whether a trigger fires, as the triggerer runs it: made again from what is serialized."""
    name, arguments = trigger.serialize()
    assert name.endswith("DestinationTrigger")

    async def first():
        return await asyncio.wait_for(anext(DestinationTrigger(**arguments).run()), within)

    try:
        return asyncio.run(first()).payload == {}
    except TimeoutError:
        return False


def test_it_waits_and_goes_on_when_the_destination_is_back(make):
    transfer, peers = make()
    one, two = SimulatedPacs(), SimulatedPacs()
    with one.running() as peers[ONE]:
        with pytest.raises(TaskDeferred) as deferred:
            task().execute(CONTEXT)
        # the other one has its images already
        assert len(one.stored) == 3
        trigger = deferred.value.trigger
        assert trigger.peers == {TWO: asdict(peers[TWO])}
        assert trigger.seconds is None
        assert not fires(trigger, within=0.3)
        assert kinds(transfer) == ["started", "waiting"]
        summary = transfer.ledger.find(transfer.id)
        assert summary.state is TransferState.RUNNING
        assert summary.message.startswith("Waits. SIMULATED@127.0.0.1:")
        assert transfer.ledger.counts(transfer.id).open == 3
        assert audit(transfer.ledger, transfer.id)["steps"][0]["ended"] == "waiting"
        with two.running() as peers[TWO]:
            trigger.peers = {TWO: asdict(peers[TWO])}
            assert fires(trigger)
            task().execute(CONTEXT, event={})
            assert task("confirm_receipt").execute(CONTEXT)["sent"] == 3
    assert (len(one.stored), len(two.stored)) == (3, 3)
    assert transfer.ledger.find(transfer.id).message == ""
    assert kinds(transfer) == ["started", "waiting", "started", "finished"]


def test_the_waiting_is_bounded(make, monkeypatch):
    transfer, peers = make(destination_wait_hours=1)
    with pytest.raises(TaskDeferred) as deferred:
        task().execute(CONTEXT)
    assert 3590 < deferred.value.trigger.seconds <= 3600
    later = SimpleNamespace(now=lambda zone: datetime.now(zone) + timedelta(hours=1.1))
    monkeypatch.setattr(deliver, "datetime", later)
    with pytest.raises(PeerDown, match=f"{ONE}: .* cannot be reached"):
        task().execute(CONTEXT, event={})
    assert kinds(transfer) == ["started", "waiting", "started", "failed"]
    # whoever clears it then has it wait anew
    with pytest.raises(TaskDeferred):
        task().execute(CONTEXT)
    assert peers


def test_without_patience_it_fails_at_once(make):
    transfer, _ = make(destination_wait_hours=0)
    with pytest.raises(PeerDown):
        task().execute(CONTEXT)
    assert kinds(transfer) == ["started", "failed"]


def test_the_time_is_over_or_somebody_stops_it(make):
    transfer, peers = make()
    down = {ONE: asdict(peers[ONE]), "web": asdict(WebPeer(f"http://127.0.0.1:{free_port()}/dicom-web", timeout=1))}
    assert fires(DestinationTrigger(transfer.id, down, 0.02, 0.1))
    threading.Timer(0.3, transfer.ledger.ask_cancel, (transfer.id, "ford")).start()
    assert fires(DestinationTrigger(transfer.id, down, 0.02))
    with pytest.raises(Cancelled):
        task().execute(CONTEXT, event={})


def test_nothing_is_sent_after_the_approval_has_ended(make):
    make({"approval": {"end": str(datetime.now(UTC).date() - timedelta(days=2))}})
    with pytest.raises(NotApproved):
        task().execute(CONTEXT, event={})


def test_what_a_destination_said_is_shown_to_whoever_asks(make):
    transfer, peers = make(destination_wait_hours=0)
    one = SimulatedPacs(store_statuses={1: 0xA900}, comment="Doe^Jane: wrong study")
    told = pytest.raises(DeliveryRefused, match="quarantine comments")
    with one.running() as peers[ONE], SimulatedPacs().running() as peers[TWO], told:
        task().execute(CONTEXT)
    settings = {"AIRLOCK_HOME": str(transfer.settings.home), "AIRLOCK_PROJECTS": str(transfer.settings.projects)}
    told = airlock("quarantine", "comments", transfer.id, **settings)
    assert told.status == 0, told.stderr
    for word in (ONE, "0xA900", "Doe^Jane: wrong study", "i-"):
        assert word in told.stdout
    shown = airlock("quarantine", "list", transfer.id, **settings).stdout
    assert "0xA900" in shown
    assert "Jane" not in shown + airlock("status", transfer.id, **settings).stdout
