"""Before real data moves, the PACS has proven that our title there leads to us."""

from dataclasses import replace

import pytest
from pydicom.uid import generate_uid

from airlock.dicomio import move as move_module
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.scp import storage_server
from airlock.errors import AssociationRejected, PeerUnavailable, PolicyError
from airlock.retrieve.step import pull_study
from demo.services import free_port
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_transfer

MOVE = {"method": "c-move", "connection": "staging"}


@pytest.fixture
def study(tmp_path):
    uid = generate_uid()
    return uid, make_study(tmp_path / "made", uid, 1, 5)


def test_the_first_use_moves_one_image_first_and_later_ones_do_not(tmp_path, study):
    uid, files = study
    pacs = SimulatedPacs()
    pacs.hold(files)

    def proofs():
        return sum(r.StudyInstanceUID != uid for r in pacs.retrievals)

    with pacs.running() as peer:
        transfer = make_transfer(tmp_path, study_uid=uid, source=MOVE)
        assert pull_study(transfer, peer).received == 5
        # What a busy machine makes it ask for once more comes after these.
        nothing, one, rest = pacs.retrievals[:3]
        assert nothing.StudyInstanceUID != uid
        assert (one.QueryRetrieveLevel, rest.QueryRetrieveLevel) == ("IMAGE", "STUDY")
        again = make_transfer(tmp_path, study_uid=uid, source=MOVE, transfer_name="T-002")
        assert pull_study(again, peer).received == 5
        assert proofs() == 1
        # another patience is the same connection, another port is another one
        third = make_transfer(tmp_path, study_uid=uid, source=MOVE, transfer_name="T-003")
        pull_study(third, replace(peer, dimse_timeout=7))
        assert proofs() == 1
        port = free_port()
        pacs.destinations[peer.move_aet] = ("127.0.0.1", port)
        fourth = make_transfer(tmp_path, study_uid=uid, source=MOVE, transfer_name="T-004")
        pull_study(fourth, replace(peer, move_port=port))
        assert proofs() == 2
    assert [k for _, _, k, _ in transfer.ledger.events(transfer.id)].count("guarded") == 1


def test_a_wrong_address_gets_one_image_at_most(tmp_path, study, monkeypatch):
    monkeypatch.setattr(move_module, "_PATIENCE_SECONDS", 0.5)
    uid, files = study
    pacs = SimulatedPacs()
    pacs.hold(files)
    transfer = make_transfer(tmp_path, study_uid=uid, source=MOVE)
    (tmp_path / "stranger").mkdir()
    stranger, port = Inbox(tmp_path / "stranger", None), free_port()
    with pacs.running() as peer, storage_server(stranger, ae_title="AIRLOCK", port=port):
        ours = pacs.destinations[peer.move_aet]
        pacs.destinations[peer.move_aet] = ("127.0.0.1", port)
        for _ in range(2):
            with pytest.raises(AssociationRejected, match=r"did not come here .*says that it was sent"):
                pull_study(transfer, peer)
        assert len(stranger.received) == 1
        pacs.destinations[peer.move_aet] = ours
        assert pull_study(transfer, peer).received == 5
    assert len(stranger.received) == 1
    assert not list(transfer.workspace.folder("incoming").glob(".*"))


def test_a_study_that_is_kept_for_the_proof(tmp_path, study):
    uid, files = study
    phantom = str(generate_uid())
    pacs = SimulatedPacs()
    pacs.hold(files)
    policy = {"source": {"test_study": phantom}}
    transfer = make_transfer(tmp_path, study_uid=uid, source=MOVE, policy=policy)
    with pacs.running() as peer:
        with pytest.raises(PolicyError, match="test_study"):
            pull_study(transfer, peer)
        pacs.hold(make_study(tmp_path / "phantom", phantom, 1, 1))
        destination, pacs.destinations = pacs.destinations, {}
        with pytest.raises(AssociationRejected, match="doesn't know the move destination"):
            pull_study(transfer, peer)
        assert not pacs.retrieved
        pacs.destinations = destination
        assert pull_study(transfer, peer).received == 5
    assert [r.StudyInstanceUID == uid for r in pacs.retrievals][-2:] == [False, True]


def test_a_pacs_that_is_down_is_waited_for(tmp_path, study):
    uid, files = study
    transfer = make_transfer(tmp_path, study_uid=uid, source=MOVE)
    pacs = SimulatedPacs()
    pacs.hold(files)
    with pacs.running() as peer:
        pass
    with pytest.raises(PeerUnavailable):
        pull_study(transfer, peer)
    assert transfer.ledger.counts(transfer.id).received == 0
