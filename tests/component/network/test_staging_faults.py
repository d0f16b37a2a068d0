"""What a staging PACS may do to us, one by one."""

import shutil
import threading
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context

from airlock.dicomio import move as move_module
from airlock.dicomio.find import find_instances
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.scp import storage_server
from airlock.dicomio.wire import pdu
from airlock.errors import AssociationRejected, PeerUnavailable, PolicyError, StudyNotFound, TransferIncomplete
from airlock.retrieve.step import pull_study, study_is_ready
from demo.services import free_port
from tests.raw_dicom import Caller
from tests.raw_dicom import request as asking
from tests.simulated_pacs import NO_ANSWER_LOST, SimulatedPacs
from tests.studies import CT, make_instance, make_study
from tests.transfers import NO_GUARD, make_transfer

METHODS = ["c-move", "c-get"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(move_module, "_PATIENCE_SECONDS", 0.5)


@pytest.fixture(params=METHODS)
def transfer(request, tmp_path):
    source = {"method": request.param, "connection": "staging"}
    return make_transfer(tmp_path, study_uid=generate_uid(), source=source, policy=NO_GUARD)


def study_of(transfer):
    return transfer.request.study_instance_uid


def names(transfer, folder):
    return {p.name for p in folder.iterdir()}


def test_fewer_than_announced(transfer, tmp_path):
    files = make_study(tmp_path / "made", study_of(transfer), 2, 3)
    lost = sorted(files)[2]
    pacs = SimulatedPacs(withhold={lost})
    pacs.hold(files)
    with pacs.running() as peer:
        with pytest.raises(TransferIncomplete) as caught:
            pull_study(transfer, peer)
        assert "5 of 6 instances arrived" in str(caught.value)
        assert transfer.instance_id(lost) in str(caught.value)
        assert not any(uid in str(caught.value) for uid in [*files, study_of(transfer)])
        assert not transfer.workspace.complete("incoming")
        assert transfer.ledger.find(transfer.id).expected == 6
        # the study, then the missing one alone
        assert [r.QueryRetrieveLevel for r in pacs.retrievals] == ["STUDY", "IMAGE"]
        pacs.withhold = set()
        assert pull_study(transfer, peer).received == 6
    assert pacs.retrieved.count(lost) == 1
    assert len(pacs.retrieved) == 6


def test_a_foreign_study_is_not_accepted(transfer, tmp_path):
    files = make_study(tmp_path / "made", study_of(transfer), 1, 2)
    foreign = dcmread(make_instance(tmp_path / "foreign", "1.2.99", "1.2.99.1", generate_uid()))
    pacs = SimulatedPacs(extra=[foreign])
    pacs.hold(files)
    with pacs.running() as peer:
        assert pull_study(transfer, peer).received == 2
    expected = {f"{transfer.instance_id(uid)}.dcm" for uid in files}
    assert names(transfer, transfer.workspace.folder("incoming")) == expected


def test_answers_that_nobody_asked_for_and_no_sop_classes(transfer, tmp_path):
    files = make_study(tmp_path / "made", study_of(transfer), 2, 2)
    stranger = Dataset()
    stranger.StudyInstanceUID, stranger.SeriesInstanceUID, stranger.SOPInstanceUID = "1.2.99", "1.2.99.1", "1.2.99.1.1"
    pacs = SimulatedPacs(strangers=[stranger], tells_class=False)
    with pacs.running() as peer:
        assert not study_is_ready(transfer, peer)
        with pytest.raises(StudyNotFound):
            pull_study(transfer, peer)
        pacs.hold(files)
        assert study_is_ready(transfer, peer)
        assert set(find_instances(peer, study_of(transfer))) == set(files)
        assert pull_study(transfer, peer).received == 4


@pytest.mark.parametrize(
    ("status", "error"),
    [(0xA700, PeerUnavailable), (0xC001, PeerUnavailable), (0xFE00, PeerUnavailable), (0xA900, AssociationRejected)],
)
def test_a_query_that_fails_is_not_an_empty_study(transfer, status, error):
    with SimulatedPacs(find_status=status).running() as peer, pytest.raises(error, match=f"0x{status:04X}"):
        study_is_ready(transfer, peer)


def test_no_query_service(transfer):
    with SimulatedPacs(find=False).running() as peer, pytest.raises(AssociationRejected, match="none of the services"):
        pull_study(transfer, peer)


def test_a_peer_must_be_named(transfer):
    with pytest.raises(PolicyError, match=r"source\.connection"):
        pull_study(transfer, None)


def test_a_file_that_cannot_be_written_is_not_acknowledged(transfer, tmp_path, monkeypatch):
    files = make_study(tmp_path / "made", study_of(transfer), 1, 2)
    pacs = SimulatedPacs()
    pacs.hold(files)

    def full(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inbox, "write", full)
    with pacs.running() as peer, pytest.raises(TransferIncomplete, match="0 of 2"):
        pull_study(transfer, peer)


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_before_the_disk_is_full_it_takes_nothing_more(tmp_path, method):
    source = {"method": method, "connection": "staging"}
    free_gigabytes = shutil.disk_usage(tmp_path).free / 1e9
    for gigabytes, lacking in ((free_gigabytes * 4, 2), (free_gigabytes, 0)):
        transfer = make_transfer(
            tmp_path / str(lacking),
            study_uid=generate_uid(),
            source=source,
            policy=NO_GUARD,
            settings={"min_free_gigabytes": gigabytes},
        )
        pacs = SimulatedPacs()
        pacs.hold(make_study(tmp_path / f"made{lacking}", study_of(transfer), 1, 2))
        with pacs.running() as peer:
            if lacking:
                with pytest.raises(TransferIncomplete, match="0 of 2"):
                    pull_study(transfer, peer)
            else:
                assert pull_study(transfer, peer).received == 2
        assert len(list(transfer.workspace.root.rglob("*.dcm"))) == 2 - lacking


def c_move(tmp_path):
    return make_transfer(
        tmp_path, study_uid=generate_uid(), source={"method": "c-move", "connection": "staging"}, policy=NO_GUARD
    )


def test_the_port_is_taken(tmp_path):
    transfer = c_move(tmp_path)
    pacs = SimulatedPacs()
    pacs.hold(make_study(tmp_path / "made", study_of(transfer), 1, 1))
    with pacs.running() as peer, pytest.raises(PeerUnavailable, match="cannot listen"):
        pull_study(transfer, replace(peer, move_port=peer.port))


def test_two_pulls_take_turns(tmp_path):
    transfers = [c_move(tmp_path / str(n)) for n in range(2)]
    pacs = SimulatedPacs()
    for n, transfer in enumerate(transfers):
        pacs.hold(make_study(tmp_path / f"made{n}", study_of(transfer), 1, 4))
    with pacs.running() as peer:
        results = {}
        threads = [
            threading.Thread(target=lambda t=t: results.update({t.id: pull_study(t, peer).received})) for t in transfers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert results == {t.id: 4 for t in transfers}


def test_a_slow_peer_shows_life_by_what_it_sends(tmp_path):
    transfer = c_move(tmp_path)
    pacs = SimulatedPacs()
    pacs.hold(make_study(tmp_path / "made", study_of(transfer), 1, 6))
    pause = threading.Event()
    pacs.on_retrieve = lambda _: pause.wait(0.7)
    with pacs.running(dimse_timeout=3) as peer:
        assert pull_study(transfer, peer).received == 6


def test_our_port_is_for_known_titles_and_whole_files(tmp_path):
    uid = generate_uid()
    dataset = dcmread(make_instance(tmp_path / "x", "1.2.3", "1.2.3.4", uid))
    inbox = Inbox(tmp_path / "in", "1.2.3")
    (tmp_path / "in").mkdir()
    port = free_port()
    contexts = [build_context(CT, [dataset.file_meta.TransferSyntaxUID]), build_context("1.3.12.2.1107.5.9.1")]
    with storage_server(inbox, ae_title="AIRLOCK", port=port, callers=["PACS"]):
        # Byte by byte, as pynetdicom takes who rejects at once for nobody now and then.
        for calling, called, reason in (("PACS", "OTHER", 7), ("STRANGER", "AIRLOCK", 3)):
            with Caller(port) as caller:
                answer = caller.say(asking(called=called, calling=calling)).hear()
                assert answer == (pdu.ASSOCIATE_RJ, bytes([0, pdu.PERMANENT, pdu.BY_USER, reason]))
        entity = AE("PACS")
        association = entity.associate("127.0.0.1", port, contexts, ae_title="AIRLOCK", evt_handlers=NO_ANSWER_LOST)
        assert len(association.accepted_contexts) == 2  # the private class too
        assert association.send_c_store(dataset).Status == 0x0000
        assert association.send_c_store(dataset).Status == 0x0000  # again: acknowledged, not written
        dataset.StudyInstanceUID = "1.2.4"
        assert association.send_c_store(dataset).Status == 0x0124
        del dataset.StudyInstanceUID
        assert association.send_c_store(dataset).Status == 0xA900
        association.release()
    assert [p.name for p in (tmp_path / "in").iterdir()] == [f"{uid}.dcm"]
    stored = dcmread(tmp_path / "in" / f"{uid}.dcm")
    assert stored.file_meta.MediaStorageSOPInstanceUID == uid
