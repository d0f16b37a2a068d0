"""What a research PACS may do to us (PS3.4 table B.2-1), one by one."""

import socket
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context

from airlock.deliver import sending
from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.echo import echo
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import VERIFICATION
from airlock.errors import (
    AssociationAborted,
    AssociationRejected,
    DeliveryRefused,
    PeerUnavailable,
    PolicyError,
    TransferIncomplete,
)
from airlock.ledger import InstanceState
from tests.simulated_pacs import SimulatedPacs
from tests.studies import CT, MR, make_instance, make_study
from tests.transfers import make_ready, make_transfer


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(sending, "_SECOND_LOOK_SECONDS", 0.0)


@pytest.fixture
def transfer(tmp_path):
    return make_transfer(tmp_path, policy={"destination": {"busy_retries": 0}})


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 1, 6)


def in_state(transfer, state):
    return {i.id for i in transfer.ledger.instances(transfer.id, state)}


def test_warnings_are_taken_and_recorded(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs(store_statuses={1: 0xB000, 2: 0xB006, 3: 0xB007})
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    statuses = sorted(i.status for i in transfer.ledger.instances(transfer.id))
    assert statuses == [0, 0, 0, 0xB000, 0xB006, 0xB007]


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0xC123, 0x0122, 0x0124])
def test_a_refused_instance_keeps_no_other_back(transfer, files, status):
    ids = make_ready(transfer, files)
    pacs = SimulatedPacs(store_statuses={2: status})
    with pacs.running() as peer:
        with pytest.raises(DeliveryRefused) as caught:
            send_to_research(transfer, peer)
        (refused,) = in_state(transfer, InstanceState.HELD)
        assert refused in ids
        assert f"1 of 6 instances (refused with 0x{status:04X}: {refused})" in str(caught.value)
        assert not any(uid in str(caught.value) for uid in files)
        (row,) = transfer.ledger.instances(transfer.id, InstanceState.HELD)
        assert row.status == status
        assert row.reason.startswith(f"refused by the destination: status 0x{status:04X}")
        # the others are proven already
        assert len(in_state(transfer, InstanceState.SENT)) == 5
        send_to_research(transfer, peer)
        assert len(pacs.stored) == 7
        assert confirm_receipt(transfer, peer).sent == 6
    (row,) = [i for i in transfer.ledger.instances(transfer.id) if i.id == refused]
    assert (row.status, row.reason) == (0, "")


def test_out_of_resources_is_tried_again_for_these_only(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs(store_statuses={1: 0xA700, 4: 0xA7FF})
    with pacs.running() as peer:
        with pytest.raises(PeerUnavailable, match="out of resources for 2 of 6"):
            send_to_research(transfer, peer)
        assert len(in_state(transfer, InstanceState.ACKNOWLEDGED)) == 4
        assert len(in_state(transfer, InstanceState.READY)) == 2
        send_to_research(transfer, peer)
        assert len(pacs.stored) == 8
        assert confirm_receipt(transfer, peer).sent == 6


def test_an_abort_in_the_middle(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs(abort_at=4)
    with pacs.running() as peer:
        with pytest.raises(AssociationAborted):
            send_to_research(transfer, peer)
        assert len(in_state(transfer, InstanceState.ACKNOWLEDGED)) == 3
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(pacs.stored) == 7
    assert len(set(pacs.stored)) == 6


def test_an_abort_after_it_was_stored_sends_nothing_twice(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs()
    with pacs.running() as peer:
        pacs.on_store = lambda n: [a.abort() for a in pacs.entity.active_associations] if n == 4 else None
        with pytest.raises(AssociationAborted):
            send_to_research(transfer, peer)
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    assert sorted(pacs.stored) == sorted(files)


def test_a_peer_that_falls_silent(transfer, files):
    make_ready(transfer, files)
    released = threading.Event()
    pacs = SimulatedPacs(on_store=lambda n: released.wait(60) if n == 2 else None)
    with pacs.running(dimse_timeout=1) as peer:
        with pytest.raises(PeerUnavailable, match="did not answer in 1 s"):
            send_to_research(transfer, peer)
        released.set()
    assert len(in_state(transfer, InstanceState.ACKNOWLEDGED)) == 1


def test_acknowledged_and_dropped_is_found_out_and_sent_again(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs(drop={3})
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert transfer.ledger.counts(transfer.id).sent == 0
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(pacs.stored) == 7


def test_dropped_again_is_an_error_that_names_it(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs(drop={3, 7})
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        with pytest.raises(TransferIncomplete) as caught:
            confirm_receipt(transfer, peer)
        (missing,) = in_state(transfer, InstanceState.ACKNOWLEDGED)
        assert missing in str(caught.value)
        assert not any(uid in str(caught.value) for uid in files)
        assert len(in_state(transfer, InstanceState.SENT)) == 5
        assert confirm_receipt(transfer, peer).sent == 6


def test_a_kind_that_the_peer_does_not_accept(transfer, tmp_path):
    study = generate_uid()
    files = {}
    for number, sop_class in enumerate([CT, MR, CT]):
        uid = generate_uid()
        files[uid] = make_instance(tmp_path / f"{number}", study, "1.2.3", uid, sop_class=sop_class)
    ids = make_ready(transfer, files)
    only_ct = [build_context(CT, [ExplicitVRLittleEndian])]
    refused = pytest.raises(DeliveryRefused, match=f"no presentation context accepted: {ids[1]}")
    with SimulatedPacs(storage=only_ct).running() as peer, refused:
        send_to_research(transfer, peer)
    assert in_state(transfer, InstanceState.HELD) == {ids[1]}
    nothing_of_it = [build_context("1.2.840.10008.5.1.4.1.1.20", [ExplicitVRLittleEndian])]
    refused = pytest.raises(DeliveryRefused, match="1 of 3 instances")
    with SimulatedPacs(storage=nothing_of_it).running() as peer, refused:
        send_to_research(transfer, peer)


def test_implicit_vr_is_enough_for_a_peer(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs(storage=[build_context(CT, [ImplicitVRLittleEndian])])
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    for dataset in pacs.instances.values():
        assert dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
        assert dataset.PatientID == "P-4711"
        assert len(dataset.PixelData) == 2048


def test_rejected_for_good_and_for_the_moment(transfer, files):
    make_ready(transfer, files)
    pacs = SimulatedPacs()
    with pacs.running() as peer:
        pacs.entity.require_calling_aet = ["SOMEBODY"]
        with pytest.raises(AssociationRejected):
            send_to_research(transfer, peer)
        pacs.entity.require_calling_aet = []
        pacs.entity.maximum_associations = 1
        other = AE("OTHER").associate("127.0.0.1", peer.port, [build_context(VERIFICATION)], ae_title="SIMULATED")
        assert other.is_established
        with pytest.raises(PeerUnavailable, match="for the moment"):
            send_to_research(transfer, peer)
        other.release()
        assert len(in_state(transfer, InstanceState.READY)) == 6
        send_to_research(transfer, peer)
    with pytest.raises(PeerUnavailable, match="cannot be reached"):
        confirm_receipt(transfer, peer)
    with pytest.raises(PeerUnavailable, match="cannot be resolved"):
        confirm_receipt(transfer, replace(peer, host="nobody.invalid"))


def test_somebody_who_does_not_speak_dicom():
    for reply, expected in ((b"", PeerUnavailable), (b"HTTP/1.0 400 Bad Request\r\n\r\n" * 10, AssociationAborted)):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer(server=server, reply=reply):
                connection, _ = server.accept()
                with connection:
                    connection.recv(10)
                    connection.sendall(reply)
                    connection.settimeout(3)
                    with suppress(OSError):
                        while connection.recv(65536):
                            pass

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            with pytest.raises(expected):
                echo(Peer("127.0.0.1", server.getsockname()[1], acse_timeout=1))


def test_an_unreadable_output_is_held_and_a_missing_path_told(transfer, files):
    ids = make_ready(transfer, files)
    rows = {i.id: i for i in transfer.ledger.instances(transfer.id)}
    (transfer.workspace.folder("deidentified") / rows[ids[0]].path).write_bytes(b"broken")
    with SimulatedPacs().running() as peer:
        send_to_research(transfer, peer)
        assert in_state(transfer, InstanceState.HELD) == {ids[0]}
        counts = confirm_receipt(transfer, peer)
    assert (counts.sent, counts.held, counts.open) == (5, 1, 0)


def test_without_a_peer_that_can_be_named():
    with pytest.raises(PolicyError):
        Peer("", 104)
