"""Several destinations: each gets what it lacks, and none waits for another."""

import csv
import json

import pytest
from pydicom.uid import generate_uid

from airlock.deliver import sending
from airlock.deliver.comments import COMMENTS, comments
from airlock.deliver.reconcile import Verdict, reconcile, shown_by
from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.deliver.withdraw import withdraw
from airlock.dicomio.peer import ENGINES, Peer
from airlock.errors import DeliveryRefused, InvalidRequest, OutsideHours, PeerDown, PeerUnavailable, PolicyError
from airlock.ledger import InstanceState, TransferState
from airlock.report.audit import as_html, audit
from airlock.screen.quarantine import drop, release
from demo.services import free_port
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

ONE, TWO = "research_one", "research_two"
READY, SENT, HELD = InstanceState.READY, InstanceState.SENT, InstanceState.HELD


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(sending, "_SECOND_LOOK_SECONDS", 0.0)


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 1, 6)


@pytest.fixture
def transfer(tmp_path, files):
    return to_both(tmp_path, files)


def to_both(tmp_path, files, **two):
    destinations = [{"connection": ONE, "busy_retries": 0}, {"connection": TWO, "busy_retries": 0, **two}]
    transfer = make_transfer(tmp_path, policy={"destinations": destinations})
    make_ready(transfer, files)
    return transfer


def nobody():
    return Peer("127.0.0.1", free_port(), called_aet="SIMULATED", acse_timeout=2)


def at(transfer, name, *states):
    return len(transfer.ledger.deliveries(transfer.id, name, *states))


def in_state(transfer, state):
    return len(transfer.ledger.instances(transfer.id, state))


def test_sent_is_what_both_have_proven(transfer, files):
    one, two = SimulatedPacs(), SimulatedPacs(store_statuses={2: 0xB007}, drop={4})
    with one.running() as a, two.running() as b:
        send_to_research(transfer, {ONE: a, TWO: b})
        assert transfer.ledger.counts(transfer.id).sent == 0
        assert confirm_receipt(transfer, {ONE: a, TWO: b}).sent == 6
    assert (len(one.stored), len(two.stored)) == (6, 7)
    assert set(one.instances) == set(two.instances) == set(files)
    statuses = [sorted(i.status for i in transfer.ledger.deliveries(transfer.id, name)) for name in (ONE, TWO)]
    assert statuses == [[0] * 6, [0] * 5 + [0xB007]]
    assert sorted(i.status for i in transfer.ledger.instances(transfer.id)) == [0] * 5 + [0xB007]


def test_one_that_is_down_keeps_no_other_from_its_images(transfer):
    one, two = SimulatedPacs(), SimulatedPacs()
    with two.running() as b:
        for _ in range(2):
            with pytest.raises(PeerDown) as caught:
                send_to_research(transfer, {ONE: nobody(), TWO: b})
            assert caught.value.connections == (ONE,)
        assert len(two.stored) == 6
        counts = transfer.ledger.counts(transfer.id)
        assert (counts.sent, counts.held, counts.open) == (0, 0, 6)
        with one.running() as a:
            send_to_research(transfer, {ONE: a, TWO: b})
            assert confirm_receipt(transfer, {ONE: a, TWO: b}).sent == 6
    # a retry sends only what a destination lacks
    assert (len(one.stored), len(two.stored)) == (6, 6)


def test_what_can_be_done_at_once_is_told_before_what_must_be_waited_for(transfer, tmp_path, files):
    busy = SimulatedPacs(store_statuses=dict.fromkeys(range(1, 7), 0xA700))
    with busy.running() as b, pytest.raises(PeerUnavailable, match=rf"{ONE}: .* cannot be reached.*{TWO}: ") as caught:
        send_to_research(transfer, {ONE: nobody(), TWO: b})
    assert not isinstance(caught.value, PeerDown)
    later = to_both(tmp_path / "b", files, hours=_not_now())
    with pytest.raises(PeerDown) as caught:
        send_to_research(later, {ONE: nobody(), TWO: nobody()})
    # the other destination's hours may begin before this one is back
    assert 0 < caught.value.seconds <= 86400
    with SimulatedPacs().running() as a, pytest.raises(OutsideHours):
        send_to_research(later, {ONE: a, TWO: nobody()})
    assert at(later, ONE, InstanceState.ACKNOWLEDGED) == 6


def _not_now():
    from datetime import datetime, timedelta

    now = datetime.now().astimezone()
    return [f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=4):%H:%M}"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_one_refuses_is_held_and_its_words_stay_in_the_workspace(transfer, files, engine):
    words = "Doe^Jane is\x1b[1m not one of ours"
    one, two = SimulatedPacs(store_statuses={2: 0xA900, 3: 0xC123}, comment=words), SimulatedPacs()
    with one.running(engine=engine) as a, two.running(engine=engine) as b:
        peers = {ONE: a, TWO: b}
        with pytest.raises(DeliveryRefused, match=r"2 of 6 instances .refused with 0xA900, 0xC123") as caught:
            send_to_research(transfer, peers)
        assert (len(two.stored), at(transfer, ONE, HELD), at(transfer, TWO, HELD)) == (6, 2, 0)
        assert (in_state(transfer, HELD), in_state(transfer, InstanceState.ACKNOWLEDGED)) == (2, 4)
        held = transfer.ledger.instances(transfer.id, HELD)
        assert all(i.reason.startswith(f"{ONE}: refused by the destination: status 0x") for i in held)
        said = comments(transfer.workspace)
        assert {(c.status, c.text) for c in said.values()} == {
            (status, "Doe^Jane is[1m not one of ours") for status in (0xA900, 0xC123)
        }
        assert set(said) == {(ONE, i.id) for i in held}
        told = json.dumps(
            [str(caught.value), repr(said), audit(transfer.ledger, transfer.id), [i.reason for i in held]]
        )
        assert "Jane" not in told
        # cleared by a person
        send_to_research(transfer, peers)
        assert confirm_receipt(transfer, peers).sent == 6
    assert (len(one.stored), len(two.stored)) == (8, 6)
    assert (transfer.workspace.root / COMMENTS).stat().st_mode & 0o77 == 0


def test_a_refusal_is_not_tried_again_while_another_is_retried(transfer):
    one = SimulatedPacs(store_statuses={2: 0xA900})
    busy = SimulatedPacs(store_statuses=dict.fromkeys(range(1, 13), 0xA700))
    with one.running() as a, busy.running() as b:
        for _ in range(2):
            with pytest.raises(PeerUnavailable):
                send_to_research(transfer, {ONE: a, TWO: b})
        assert len(one.stored) == 6
        with pytest.raises(DeliveryRefused):
            send_to_research(transfer, {ONE: a, TWO: b})
        assert len(one.stored) == 6


def test_a_destination_that_is_added_later_gets_everything(tmp_path, files):
    transfer = make_transfer(tmp_path, policy={"destination": {"connection": ONE}})
    make_ready(transfer, files)
    one, two = SimulatedPacs(), SimulatedPacs()
    with one.running() as a, two.running() as b:
        send_to_research(transfer, a)
        assert confirm_receipt(transfer, a).sent == 6
        both = to_both(tmp_path / "again", files).policy
        object.__setattr__(transfer, "policy", both)
        send_to_research(transfer, {ONE: a, TWO: b})
        assert confirm_receipt(transfer, {ONE: a, TWO: b}).sent == 6
    assert (len(one.stored), len(two.stored)) == (6, 6)


def test_it_is_reconciled_per_destination_and_withdrawn_from_all(transfer, tmp_path):
    one, two = SimulatedPacs(), SimulatedPacs()
    ledger = transfer.ledger
    with one.running() as a, two.running() as b:
        peers = {ONE: a, TWO: b}
        with pytest.raises(PeerDown):
            confirm_receipt(transfer, {ONE: a, TWO: nobody()})
        # one has everything, proven; nothing is sent as a whole
        verdicts = [[r.verdict for r in reconcile(ledger, shown_by(peers[n]), destination=n)] for n in peers]
        assert verdicts == [[Verdict.WHOLE], []]
        confirm_receipt(transfer, peers)
        del two.instances[min(two.instances)]
        verdicts = [[r.verdict for r in reconcile(ledger, shown_by(peers[n]), destination=n)] for n in peers]
        assert verdicts == [[Verdict.WHOLE], [Verdict.PARTIAL]]
        assert withdraw(ledger, transfer.settings, transfer.id, tmp_path / "delete.csv", force=True) == 12
        listed = list(csv.DictReader((tmp_path / "delete.csv").open(newline="")))
        assert {(n, sum(r["destination"] == n for r in listed)) for n in peers} == {(ONE, 6), (TWO, 6)}
        one.instances.clear()
        verdicts = [[r.verdict for r in reconcile(ledger, shown_by(peers[n]), destination=n)] for n in peers]
        assert verdicts == [[Verdict.GONE], [Verdict.NOT_DELETED]]
    assert ledger.find(transfer.id).state is TransferState.WITHDRAWN


def test_what_a_person_leaves_out_is_not_sent_and_what_went_out_is_known(transfer, tmp_path):
    one, two = SimulatedPacs(), SimulatedPacs(store_statuses={1: 0xC000})
    ledger = transfer.ledger
    with one.running() as a, two.running() as b:
        peers = {ONE: a, TWO: b}
        with pytest.raises(DeliveryRefused):
            send_to_research(transfer, peers)
        ledger.move(transfer.id, TransferState.FAILED)
        (held,) = ledger.instances(transfer.id, HELD)
        with pytest.raises(InvalidRequest, match="begun to send"):
            release(ledger, transfer.workspace, transfer.id, [held.id], "ford")
        assert drop(ledger, transfer.id, [held.id], "ford") == 1
        send_to_research(transfer, peers)
        counts = confirm_receipt(transfer, peers)
        assert (counts.sent, counts.skipped, counts.open) == (5, 1, 0)
        assert len(two.stored) == 6
        # it is at the other one all the same, and would have to be deleted there
        assert at(transfer, ONE, SENT) == 6
        assert withdraw(ledger, transfer.settings, transfer.id, tmp_path / "delete.csv", force=True) == 11


def test_the_audit_tells_of_each(transfer):
    with SimulatedPacs().running() as a, pytest.raises(PeerDown):
        confirm_receipt(transfer, {ONE: a, TWO: nobody()})
    facts = audit(transfer.ledger, transfer.id)
    assert facts["destinations"] == {ONE: {"sent": 6}, TWO: {"ready": 6}}
    assert facts["instances"][0]["destinations"] == {ONE: "sent 0x0000", TWO: "ready"}
    page = as_html(facts)
    assert ONE in page
    assert TWO in page


def test_the_policy_says_once_where_to(tmp_path):
    for wrong in (
        {"destination": {}, "destinations": [{"connection": ONE}]},
        {"destinations": [{"connection": ONE}, {"connection": ONE}]},
    ):
        with pytest.raises(PolicyError, match="destination"):
            make_transfer(tmp_path, policy=wrong)
