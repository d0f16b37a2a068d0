"""PACSs that answer before they send, or send slowly: what was asked for is waited for as long as it is on its way."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context

from airlock.dicomio import association
from airlock.dicomio.echo import echo
from airlock.dicomio.find import StudyKeys, find_studies, list_study
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import VERIFICATION
from airlock.dicomio.wire import command
from airlock.errors import AssociationAborted, PeerUnavailable, StudyNotFound, TransferIncomplete
from airlock.retrieve import pacs as retrieve
from airlock.retrieve.step import pull_study
from tests.raw_dicom import acceptance, p_data, read_pdu, scripted_peer
from tests.simulated_pacs import NO_ANSWER_LOST, SimulatedPacs
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_transfer


class HastyPacs(SimulatedPacs):
    """Answers a C-MOVE at once and counts nothing; sends a moment later, over an association of its own."""

    def _move(self, event):
        chosen = self._selection(event)
        host, port = self.destinations[event.move_destination]
        if chosen:
            threading.Thread(target=self._bring, args=(chosen, host, port)).start()
        yield host, port, {"contexts": [build_context(VERIFICATION)]}
        yield 0

    def _bring(self, chosen, host, port):
        time.sleep(0.3)
        entity = AE("SIMULATED")
        for pair in {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in chosen}:
            entity.add_requested_context(*pair)
        sending = entity.associate(host, port, ae_title="AIRLOCK", evt_handlers=NO_ANSWER_LOST)
        for dataset in chosen if sending.is_established else []:
            self.retrieved.append(str(dataset.SOPInstanceUID))
            sending.send_c_store(dataset)
        sending.release()


class DeafPacs(SimulatedPacs):
    """Doesn't know accession numbers: it neither searches by them nor tells them."""

    def _matching(self, query):
        query.pop("AccessionNumber", None)
        return super()._matching(query)

    def _find(self, event):
        for status, answer in super()._find(event):
            if answer is not None:
                del answer.AccessionNumber
            yield status, answer


def transfer_from(pacs, tmp_path, method, *, policy=NO_GUARD, **study):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, **study)
    pacs.hold(files)
    source = {"method": method, "connection": "staging"}
    return make_transfer(tmp_path, study_uid=study_uid, source=source, policy=policy)


@pytest.mark.parametrize("policy", [NO_GUARD, {}], ids=["at once", "guarded"])
def test_what_comes_after_the_answer_that_counts_nothing(tmp_path, policy):
    pacs = HastyPacs()
    transfer = transfer_from(pacs, tmp_path, "c-move", policy=policy, series=2, instances=3)
    with pacs.running() as peer:
        assert pull_study(transfer, peer).received == 6
    # Only the guard's image was asked for besides, and of a study that nobody has none.
    assert len(pacs.retrieved) == (6 if policy else 7)


def test_who_counts_nothing_and_sends_nothing_is_not_waited_for_without_end(tmp_path):
    pacs = SimulatedPacs()
    transfer = transfer_from(pacs, tmp_path, "c-move", series=1, instances=2)
    pacs.withhold = set(pacs.instances)
    with pacs.running(network_timeout=0.3) as peer, pytest.raises(TransferIncomplete, match="0 of 2"):
        pull_study(transfer, peer)


def test_a_part_of_an_instance_is_a_sign_of_life(tmp_path):
    inbox = Inbox(tmp_path, "1.2.3", total=1)
    signs = [0.2] * 5

    def come():
        for pause in signs:
            time.sleep(pause)
            inbox.notice()
        inbox.answered(0x0000)

    thread = threading.Thread(target=come)
    thread.start()
    inbox.wait(lambda: inbox.acknowledged == 1, 0.8)
    thread.join()
    assert inbox.acknowledged == 1
    assert not inbox.whole


def test_a_peer_that_ignores_what_it_is_searched_by_finds_nothing(tmp_path):
    pacs = DeafPacs()
    pacs.hold(make_study(tmp_path / "of somebody", generate_uid(), 1, 1, AccessionNumber="OTHER"))
    source = {"method": "c-get", "connection": "staging", "accession_number": "WANTED"}
    transfer = make_transfer(tmp_path, study_uid="", source=source, policy=NO_GUARD)
    with pacs.running() as peer:
        with pytest.raises(StudyNotFound):
            pull_study(transfer, peer)
        assert not pacs.retrievals
        # By its UID, which every peer must know, it is found.
        (study,) = {str(dataset.StudyInstanceUID) for dataset in pacs.instances.values()}
        assert [found.study_instance_uid for found in find_studies(peer, StudyKeys(study))] == [study]


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_an_answer_without_its_uid_is_not_passed_over(tmp_path, level):
    pacs = SimulatedPacs()
    study_uid = generate_uid()
    pacs.hold(make_study(tmp_path / "made", study_uid, 2, 2))
    answers = pacs._find

    def find(event):
        asked = event.identifier.QueryRetrieveLevel
        for number, (status, answer) in enumerate(answers(event)):
            if asked == level and number == 1:
                answer.SeriesInstanceUID = answer.SOPInstanceUID = ""
            yield status, answer

    pacs._find = find
    with pacs.running() as peer, pytest.raises(PeerUnavailable, match="has no UID"):
        list_study(peer, study_uid)


class BrittlePacs(SimulatedPacs):
    """Aborts at some instances, in whatever request."""

    def _send(self, datasets):
        for number, item in enumerate(super()._send(datasets)):
            if number and item[1].SOPInstanceUID in self.fatal:
                [association.abort() for association in self.entity.active_associations]
                return
            yield item


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_an_instance_at_which_it_aborts_keeps_no_other_back(tmp_path, method):
    pacs = BrittlePacs()
    transfer = transfer_from(pacs, tmp_path, method, series=2, instances=3)
    pacs.fatal = {min(pacs.instances)}
    lost = transfer.instance_id(min(pacs.instances))
    with pacs.running() as peer:
        with pytest.raises(TransferIncomplete, match=f"5 of 6 instances arrived.*Missing: {lost}"):
            pull_study(transfer, peer)
        pacs.fatal = set()
        assert pull_study(transfer, peer).received == 6


def test_who_ends_every_association_is_not_asked_for_each_instance(tmp_path, monkeypatch):
    monkeypatch.setattr(retrieve, "_MOST_ENDED", 2)
    pacs = BrittlePacs()
    transfer = transfer_from(pacs, tmp_path, "c-get", series=1, instances=9)
    pacs.fatal = set(pacs.instances)
    with pacs.running() as peer, pytest.raises(AssociationAborted):
        pull_study(transfer, peer)
    assert len(pacs.retrievals) < 9


def test_who_does_not_answer_a_release_is_left(monkeypatch):
    monkeypatch.setattr(association, "_RELEASE_SECONDS", 0.2)
    over = threading.Event()

    def script(connection):
        read_pdu(connection)
        connection.sendall(acceptance([1]))
        read_pdu(connection)
        connection.sendall(p_data(command.answer(command.Command(command.ECHO_RQ, 1), 0), flags=3))
        over.wait(25)

    with scripted_peer(script) as port:
        since = time.monotonic()
        echo(Peer("127.0.0.1", port, acse_timeout=25))
        assert time.monotonic() - since < 20
        over.set()


@contextmanager
def slowed(port, bytes_per_second):
    """Forward a port; what its peer says comes at a rate."""

    def pump(source, target, rate):
        with suppress(OSError):
            while data := source.recv(8192):
                target.sendall(data)
                time.sleep(len(data) / rate)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    peer = socket.create_connection(("127.0.0.1", port))
                    for ends in ((caller, peer, 1e12), (peer, caller, bytes_per_second)):
                        threading.Thread(target=pump, args=ends, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def test_an_instance_that_takes_longer_to_come_by_get_than_an_answer_may(tmp_path):
    pacs = SimulatedPacs()
    transfer = transfer_from(pacs, tmp_path, "c-get", series=1, instances=1, size=600)
    with pacs.running(dimse_timeout=2) as peer, slowed(peer.port, 250_000) as port:
        pacs.entity.dimse_timeout = 60  # it waits for our answer all the while
        assert pull_study(transfer, replace(peer, port=port)).received == 1
