"""A process that is killed in the middle of the work, and the one that goes on."""

import signal
import time
from multiprocessing.connection import wait

import pytest
from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.ledger import InstanceState
from airlock.retrieve.step import pull_study
from tests.processes import start
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_ready, make_transfer


class Killer:
    """Kills a process at the n-th call, and lets the caller wait until it is dead."""

    def __init__(self, at):
        self.at = at
        self.process = None

    def __call__(self, number):
        if number == self.at and self.process is not None:
            self.process.kill()
            # Not join: the test joins it in another thread.
            wait([self.process.sentinel], 10)


def killed(process):
    process.join(60)
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("at", [1, 4])
def test_nothing_is_sent_twice(tmp_path, at):
    files = make_study(tmp_path / "made", generate_uid(), 2, 4)
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    # The instance at which the sender dies is stored, but the sender never hears of it.
    killer = Killer(at)
    pacs = SimulatedPacs(on_store=killer)
    with pacs.running() as peer:
        killer.process = start(send_to_research, transfer, peer)
        assert killed(killer.process)
        time.sleep(0.2)
        assert len(pacs.stored) == at
        assert len(transfer.ledger.instances(transfer.id, InstanceState.READY)) == 8
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 8
    assert sorted(pacs.stored) == sorted(files)
    resumed = [detail for _, step, kind, detail in transfer.ledger.events(transfer.id) if kind == "resumed"]
    assert resumed == [{"destination": "research_pacs", "recovered": at}]


def test_without_c_find_at_most_the_one_in_flight_is_sent_again(tmp_path):
    files = make_study(tmp_path / "made", generate_uid(), 1, 6)
    transfer = make_transfer(tmp_path)
    make_ready(transfer, files)
    killer = Killer(3)
    pacs = SimulatedPacs(on_store=killer, find=False)
    with pacs.running() as peer:
        killer.process = start(send_to_research, transfer, peer)
        assert killed(killer.process)
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
        killer.process = start(send_to_research, transfer, peer)
        assert killed(killer.process)
        killer.process = None
        send_to_research(transfer, peer)
    assert len(pacs.stored) == 4
    assert set(pacs.stored) == set(files)


@pytest.mark.parametrize("method", ["c-move", "c-get"])
def test_a_pull_goes_on_where_it_was(tmp_path, method):
    study_uid = generate_uid()
    files = make_study(tmp_path / "made", study_uid, 2, 4)
    transfer = make_transfer(
        tmp_path, study_uid=study_uid, source={"method": method, "connection": "staging"}, policy=NO_GUARD
    )
    killer = Killer(5)
    pacs = SimulatedPacs()
    pacs.hold(files)
    pacs.on_retrieve = killer
    with pacs.running() as peer:
        killer.process = start(pull_study, transfer, peer)
        assert killed(killer.process)
        killer.process = None
        partial = transfer.workspace.partial("incoming")
        assert len(list(partial.glob("*.dcm"))) == 4
        assert not transfer.workspace.complete("incoming")
        present = {path.stem for path in partial.glob("*.dcm")}
        assert pull_study(transfer, peer).received == 8
    # The first request was for the study; the next one for the series that had not come.
    # What a busy machine lost on its way is asked for once more.
    first, second, *_ = pacs.retrievals
    assert first.QueryRetrieveLevel == "STUDY"
    assert second.QueryRetrieveLevel == "SERIES"
    missing = {uid for uid in files if transfer.instance_id(uid) not in present}
    assert {files[uid].parent.name for uid in missing} == {second.SeriesInstanceUID}
