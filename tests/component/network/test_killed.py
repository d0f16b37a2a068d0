"""A process that is killed in the middle of the work, and the one that goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.ledger import InstanceState
from airlock.retrieve.step import pull_study
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer

CHILD = """
import sys
from airlock.deliver.step import send_to_research
from airlock.dicomio.peer import Peer
from airlock.retrieve.step import pull_study
from airlock.settings import Settings
from airlock.transfer import Transfer

step, transfer_id, settings, peer, move_port = sys.argv[1:]
transfer = Transfer.open(transfer_id, Settings.model_validate_json(settings))
peer = Peer("127.0.0.1", int(peer), called_aet="SIMULATED", move_port=int(move_port))
{"send": send_to_research, "pull": pull_study}[step](transfer, peer)
"""


def start(step, transfer, peer):
    arguments = [step, transfer.id, transfer.settings.model_dump_json(), str(peer.port), str(peer.move_port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], env=environment)


class Killer:
    """Kills a process at the n-th call, and lets the caller wait until it is dead."""

    def __init__(self, at):
        self.at = at
        self.process = None

    def __call__(self, number):
        if number == self.at and self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)


@pytest.mark.parametrize("at", [1, 4])
def test_nothing_is_sent_twice(tmp_path, at):
    files = make_study(tmp_path / "made", generate_uid(), 2, 4)
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    # The instance at which the sender dies is stored, but the sender never hears of it.
    killer = Killer(at)
    pacs = SimulatedPacs(on_store=killer)
    with pacs.running() as peer:
        killer.process = start("send", transfer, peer)
        assert killer.process.wait(60) == -signal.SIGKILL
        time.sleep(0.2)
        assert len(pacs.stored) == at
        assert len(transfer.ledger.instances(transfer.id, InstanceState.READY)) == 8
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 8
    assert sorted(pacs.stored) == sorted(files)
    resumed = [detail for _, step, kind, detail in transfer.ledger.events(transfer.id) if kind == "resumed"]
    assert resumed == [{"recovered": at}]


def test_without_c_find_at_most_the_one_in_flight_is_sent_again(tmp_path):
    files = make_study(tmp_path / "made", generate_uid(), 1, 6)
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    killer = Killer(3)
    pacs = SimulatedPacs(on_store=killer, find=False)
    with pacs.running() as peer:
        killer.process = start("send", transfer, peer)
        assert killer.process.wait(60) == -signal.SIGKILL
        killer.process = None
        send_to_research(transfer, peer)
    assert len(pacs.stored) == 7
    assert set(pacs.stored) == set(files)


def test_a_later_attempt_trusts_no_earlier_copy(tmp_path):
    files = make_study(tmp_path / "made", generate_uid(), 1, 3)
    transfer = make_transfer(tmp_path)
    transfer.ledger.restart(transfer.id)
    make_ready(transfer, files)
    killer = Killer(2)
    pacs = SimulatedPacs(on_store=killer)
    pacs.hold(files)
    with pacs.running() as peer:
        killer.process = start("send", transfer, peer)
        assert killer.process.wait(60) == -signal.SIGKILL
        killer.process = None
        send_to_research(transfer, peer)
    assert len(pacs.stored) == 4
    assert set(pacs.stored) == set(files)


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_a_pull_goes_on_where_it_was(tmp_path, method):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 4)
    transfer = make_transfer(tmp_path, study_uid=study_uid, source={"method": method, "connection": "staging"})
    killer = Killer(5)
    pacs = SimulatedPacs()
    pacs.hold(files)
    pacs.on_retrieve = killer
    with pacs.running() as peer:
        killer.process = start("pull", transfer, peer)
        assert killer.process.wait(60) == -signal.SIGKILL
        killer.process = None
        partial = transfer.workspace.partial("incoming")
        assert len(list(partial.glob("*.dcm"))) == 4
        assert not transfer.workspace.complete("incoming")
        present = {path.stem for path in partial.glob("*.dcm")}
        assert pull_study(transfer, peer).received == 8
    # The first request was for the study; the next one for the series that had not come.
    first, second = pacs.retrievals
    assert first.QueryRetrieveLevel == "STUDY"
    assert second.QueryRetrieveLevel == "SERIES"
    missing = {uid for uid in files if transfer.instance_id(uid) not in present}
    assert {files[uid].parent.name for uid in missing} == {second.SeriesInstanceUID}
