"""Destinations are served side by side."""

import threading

import pytest
from pydicom.uid import generate_uid

from airlock.deliver import abreast
from airlock.deliver.consignment import Consignment
from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.errors import Cancelled, PeerDown, UnexpectedFailure
from airlock.ledger import InstanceState
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

NAMES = ("slow", "fast", "third")


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 1, 6)


@pytest.fixture
def transfer(tmp_path, files):
    transfer = make_transfer(tmp_path, policy={"destinations": [{"connection": name} for name in NAMES]})
    make_ready(transfer, files)
    return transfer


def test_a_slow_destination_delays_no_other(transfer, files):
    fast_has_all = threading.Event()
    waited = []

    def wait(_):
        # Were they served in turn, the fast one would get nothing meanwhile.
        waited.append(fast_has_all.wait(20))

    def note(_):
        if len(fast.stored) >= len(files) - 1:
            fast_has_all.set()

    slow, fast, third = SimulatedPacs(on_store=wait), SimulatedPacs(on_store=note), SimulatedPacs()
    told = []
    with slow.running() as a, fast.running() as b, third.running() as c:
        peers = {"slow": a, "fast": b, "third": c}
        send_to_research(transfer, peers, lambda done, total: told.append((done, total)))
        assert confirm_receipt(transfer, peers).sent == len(files)
    assert waited == [True] * len(files)
    assert [sorted(pacs.stored) for pacs in (slow, fast, third)] == [sorted(files)] * 3
    assert told[-1] == (18, 18)
    assert [done for done, _ in told] == list(range(1, 19))
    for name in NAMES:
        rows = transfer.ledger.deliveries(transfer.id, name)
        assert {row.state for row in rows} == {InstanceState.SENT}
    assert not transfer.ledger.verify_chain(transfer.id).problem


def test_a_cancelled_transfer_stops_at_all(transfer, files):
    begun = threading.Event()

    def cancel(_):
        begun.set()
        transfer.ledger.ask_cancel(transfer.id, "somebody")
        raise_at.set()

    raise_at = threading.Event()
    slow, fast = SimulatedPacs(on_store=lambda _: raise_at.wait(20)), SimulatedPacs(on_store=cancel)
    with (
        slow.running() as a,
        fast.running() as b,
        SimulatedPacs().running() as c,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("airlock.ledger.cancellation._LOOK_EVERY_SECONDS", 0.0)
        patch.setattr("airlock.deliver.recorder._BATCH", 1)
        with pytest.raises(Cancelled), transfer.ledger.stopping(transfer.id):
            send_to_research(transfer, {"slow": a, "fast": b, "third": c})
    assert begun.is_set()
    assert len(slow.stored) < len(files)
    assert len(fast.stored) < len(files)


def consignments(number):
    stop = threading.Event()
    return [Consignment(None, _Named(str(n)), None, (), stop) for n in range(number)]


class _Named:
    def __init__(self, connection):
        self.connection = connection


def test_no_more_than_so_many_at_a_time():
    together = threading.Barrier(abreast.AT_ONCE)
    most, now, lock = [0], [0], threading.Lock()

    def do(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(20)
        with lock:
            now[0] -= 1

    assert abreast.serve(consignments(2 * abreast.AT_ONCE), do) == {}
    assert most[0] == abreast.AT_ONCE


def test_what_goes_wrong_at_one_is_told_in_their_order_and_the_others_are_served():
    served = []

    def do(consignment):
        if consignment.destination in "02":
            raise PeerDown("nobody answers") if consignment.destination == "2" else UnexpectedFailure("something")
        served.append(consignment.destination)

    failed = abreast.serve(consignments(5), do)
    assert [(name, type(error)) for name, error in failed.items()] == [("0", UnexpectedFailure), ("2", PeerDown)]
    assert sorted(served) == ["1", "3", "4"]


def test_the_others_stop_when_the_caller_is_interrupted(monkeypatch):
    ended = []

    def do(consignment):
        while True:
            try:
                consignment.check_going()
            except Cancelled:
                ended.append(consignment.destination)
                raise
            consignment.stop.wait(0.01)

    join = threading.Thread.join

    def interrupted(thread, timeout=None):
        if timeout is None:
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        abreast.serve(consignments(3), do)
    assert sorted(ended) == ["0", "1", "2"]
