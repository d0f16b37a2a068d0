"""Research PACSs that index late, take nothing twice, or end every association at the same image."""

import pytest
from pydicom.uid import generate_uid

from airlock.deliver import sending
from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.errors import AssociationAborted, DeliveryRefused, TransferIncomplete
from airlock.ledger import InstanceState
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

DUPLICATE = 0x0111


class StrangePacs(SimulatedPacs):
    """Refuses what it has.

    :param hidden: SOPInstanceUIDs that it doesn't show yet.
    :param fatal: those at which it aborts.
    :param unanswered: numbers of the C-STOREs after which it aborts, though it has stored them.
    """

    def __init__(self, *, hidden=(), fatal=(), unanswered=()):
        super().__init__()
        self.hidden, self.fatal, self.unanswered = set(hidden), set(fatal), set(unanswered)

    def _store(self, event):
        sop_uid = str(event.request.AffectedSOPInstanceUID)
        if sop_uid in self.fatal or sop_uid in self.instances:
            self.stored.append(sop_uid)
        if sop_uid in self.fatal:
            event.assoc.abort()
            return 0xC000
        if sop_uid in self.instances:
            return DUPLICATE
        status = super()._store(event)
        if len(self.stored) in self.unanswered:
            event.assoc.abort()
        return status

    def _matching(self, query):
        return [dataset for dataset in super()._matching(query) if dataset.SOPInstanceUID not in self.hidden]


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(sending, "_SECOND_LOOK_SECONDS", 0.0)


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 2, 3)


@pytest.fixture
def transfer(tmp_path, files):
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    return transfer


def ids(transfer, *states):
    return {i.id for i in transfer.ledger.instances(transfer.id, *states)}


def id_of(transfer, sop_uid):
    return next(i.id for i in transfer.ledger.instances(transfer.id) if i.sop_instance_uid == sop_uid)


def test_what_is_shown_late_is_looked_for_before_it_is_sent_again(transfer, files):
    pacs = StrangePacs(hidden=files)
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        with pytest.raises(TransferIncomplete, match="looks for them again"):
            confirm_receipt(transfer, peer)
        # It refused all of them as duplicates: what it was sent, it has.
        assert ids(transfer, InstanceState.ACKNOWLEDGED) == ids(transfer)
        sent = len(pacs.stored)
        pacs.hidden.clear()
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(pacs.stored) == sent == 12


def test_one_whose_answer_was_lost_may_be_a_duplicate_when_it_is_sent_again(transfer, files):
    pacs = StrangePacs(hidden=files, unanswered={2})
    with pacs.running() as peer:
        with pytest.raises(AssociationAborted):
            send_to_research(transfer, peer)
        send_to_research(transfer, peer)
        assert ids(transfer, InstanceState.ACKNOWLEDGED) == ids(transfer)
        pacs.hidden.clear()
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(pacs.stored) == 7


def test_a_duplicate_of_what_somebody_else_sent_is_none_of_ours(transfer, files):
    pacs = StrangePacs()
    pacs.hold({sop_uid: files[sop_uid] for sop_uid in sorted(files)[:1]})
    with pacs.running() as peer, pytest.raises(DeliveryRefused, match=r"1 of 6 instances \(refused with 0x0111"):
        send_to_research(transfer, peer)
    (row,) = transfer.ledger.instances(transfer.id, InstanceState.HELD)
    assert row.reason.endswith("(it has an instance of that UID already)")


def test_of_a_later_attempt_a_duplicate_may_be_what_an_earlier_one_sent(transfer, files):
    transfer.ledger.restart(transfer.id)
    make_ready(transfer, files)
    pacs = StrangePacs(unanswered={2})
    with pacs.running() as peer:
        with pytest.raises(AssociationAborted):
            send_to_research(transfer, peer)
        with pytest.raises(DeliveryRefused, match=r"1 of 6 instances \(refused with 0x0111"):
            send_to_research(transfer, peer)


@pytest.mark.parametrize("number", [1, 2])
def test_an_image_at_which_it_aborts_keeps_no_other_back(transfer, files, number):
    first = [i.sop_instance_uid for i in transfer.ledger.instances(transfer.id)][:number]
    pacs = StrangePacs(fatal=first)
    with pacs.running() as peer:
        # Each try finds one more of them; then they come last, each by itself.
        for _ in range(number):
            with pytest.raises(AssociationAborted):
                send_to_research(transfer, peer)
        with pytest.raises(AssociationAborted, match=f"at {number} instances, more than once") as caught:
            send_to_research(transfer, peer)
        assert ids(transfer, InstanceState.READY) == {id_of(transfer, uid) for uid in first}
        assert all(id_of(transfer, uid) in str(caught.value) for uid in first)
        assert not any(uid in str(caught.value) for uid in files)
        assert len(pacs.instances) == 6 - number
        pacs.fatal.clear()
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6


@pytest.mark.parametrize("status", [0x0001, 0x0107, 0x0116])
def test_warnings_that_are_not_0xb000(transfer, status):
    pacs = SimulatedPacs()

    def store(event):
        return SimulatedPacs._store(pacs, event) or status

    pacs._store = store
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    assert {i.status for i in transfer.ledger.instances(transfer.id)} == {status}
