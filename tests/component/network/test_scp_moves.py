"""Pulls that share a receiving service."""

import logging
import threading
import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio import turns
from airlock.dicomio.commit import commit
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.move import move
from airlock.dicomio.retrieval import Retrieval
from airlock.dicomio.store import Outgoing, send_files
from airlock.dicomio.wire import desk
from airlock.errors import AssociationRejected, PeerUnavailable, PolicyError, TransferIncomplete
from airlock.retrieve.step import pull_study
from airlock.settings import load_settings
from demo.services import free_port
from tests.certificates import make_certificate
from tests.pacs import PROGRAMS, START, orthanc_tls
from tests.peers import require
from tests.receiving import receiving_service, start_service
from tests.simulated_pacs import SimulatedPacs
from tests.studies import CT, make_instance, make_study
from tests.transfers import NO_GUARD, make_transfer

SOURCE = {"method": "c-move", "connection": "staging"}


def pulling(tmp_path, study_uid, name="T-1", guard=False):
    policy = {} if guard else NO_GUARD
    return make_transfer(tmp_path, study_uid=study_uid, source=SOURCE, policy=policy, transfer_name=name)


def at_once(peer, transfers):
    """Pull several at the same time; return what each received, or its error."""
    results = {}

    def pull(transfer):
        try:
            results[transfer.id] = pull_study(transfer, peer).received
        except Exception as error:  # noqa: BLE001 - it is what is looked at
            results[transfer.id] = error

    threads = [threading.Thread(target=pull, args=(transfer,)) for transfer in transfers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [results.get(transfer.id) for transfer in transfers]


def whole(transfer, files):
    """Whether exactly these files lie in the workspace, and are the same."""
    folder = transfer.workspace.folder("incoming")
    there = {path.name for path in folder.iterdir()}
    return there == {f"{transfer.instance_id(uid)}.dcm" for uid in files} and all(
        dcmread(folder / f"{transfer.instance_id(uid)}.dcm") == dcmread(path) for uid, path in files.items()
    )


@pytest.fixture
def studies(tmp_path):
    uids = [str(generate_uid()) for _ in range(3)]
    return {uid: make_study(tmp_path / f"made{n}", uid, 2, 3) for n, uid in enumerate(uids)}


@pytest.mark.parametrize("name", ["orthanc", "dcmqrscp"])
def test_a_pacs_moves_several_studies_at_once(tmp_path, studies, name):
    require(*PROGRAMS[name])
    transfers = [pulling(tmp_path, uid, f"T-{n}", guard=n == 0) for n, uid in enumerate(studies)]
    with START[name](tmp_path / name) as peer, receiving_service(tmp_path / "home", peer) as service:
        for files in studies.values():
            assert all(o.stored for o in send_files(peer, [Outgoing.of(u, p) for u, p in files.items()]))
        assert at_once(peer, transfers) == [6, 6, 6]
        assert all(whole(t, files) for t, files in zip(transfers, studies.values(), strict=True))
        # One more: the image that proved the connection.
        assert (service.counts["moved"], service.counts["unasked"], len(service.claims)) == (19, 0, 0)
        assert service.left == []


def test_encrypted(tmp_path, studies):
    require("Orthanc")
    ours, theirs = (make_certificate(tmp_path, name) for name in ("ours", "theirs"))
    transfers = [pulling(tmp_path, uid, f"T-{n}") for n, uid in enumerate(studies)]
    with orthanc_tls(tmp_path / "orthanc", ours, theirs) as peer, receiving_service(tmp_path / "home", peer):
        for files in studies.values():
            assert all(o.stored for o in send_files(peer, [Outgoing.of(u, p) for u, p in files.items()]))
        assert at_once(peer, transfers) == [6, 6, 6]
        assert all(whole(t, files) for t, files in zip(transfers, studies.values(), strict=True))
        # Who says that it comes in plain would wait in vain.
        with pytest.raises(PolicyError, match="move_tls"):
            ask(replace(peer, move_tls=False), tmp_path, "1.2.3")


def ask(peer, tmp_path, study_uid, **inbox):
    """Ask for a study; return the inbox."""
    folder = tmp_path / f"in{generate_uid()}"
    folder.mkdir()
    inbox = Inbox(folder, study_uid, **inbox)
    move(peer, [Retrieval(study_uid)], inbox, tmp_path / "home")
    return inbox


def test_the_log_says_who_received(tmp_path, studies, caplog):
    caplog.set_level(logging.INFO, "airlock")
    uid, files = next(iter(studies.items()))
    pacs = SimulatedPacs()
    pacs.hold(files)
    with pacs.running() as peer:
        assert ask(peer, tmp_path, uid).received == set(files)
        with receiving_service(tmp_path / "home", peer):
            assert ask(peer, tmp_path, uid).received == set(files)
    here, there = caplog.messages
    assert "received here" in here
    assert "received by the service" in there
    assert uid not in caplog.text


def test_a_small_study_does_not_wait_for_a_large_one(tmp_path, studies):
    (slow, large), (quick, small), _ = studies.items()
    pacs = SimulatedPacs()
    pacs.hold(large | small)
    first, second = pulling(tmp_path, slow, "T-1"), pulling(tmp_path, quick, "T-2")
    asked, go = threading.Event(), threading.Event()

    def hold(_):
        if pacs.retrieved[-1] in large:
            asked.set()
            assert go.wait(30)

    pacs.on_retrieve = hold
    with pacs.running() as peer, receiving_service(tmp_path / "home", peer):
        thread = threading.Thread(target=pull_study, args=(first, peer))
        thread.start()
        assert asked.wait(20)
        assert pull_study(second, peer).received == 6
        assert not first.workspace.complete("incoming")
        go.set()
        thread.join(30)
    assert whole(first, large)


@pytest.mark.parametrize("most", [0, 1])
def test_no_more_pulls_at_a_time_than_the_policy_says(tmp_path, studies, most, monkeypatch):
    monkeypatch.setattr(turns, "_POLL_SECONDS", 0.02)
    policy = {"source": {"guard": False, "at_a_time": most}}
    transfers = [
        make_transfer(tmp_path, study_uid=uid, source=SOURCE, policy=policy, transfer_name=uid[-5:]) for uid in studies
    ]
    pacs = SimulatedPacs()
    study_of = {sop_uid: uid for uid, files in studies.items() for sop_uid in files}
    for files in studies.values():
        pacs.hold(files)
    pacs.on_retrieve = lambda _: time.sleep(0.05)
    with pacs.running() as peer, receiving_service(tmp_path / "home", peer):
        assert at_once(peer, transfers) == [6, 6, 6]
    changes = sum(study_of[one] != study_of[two] for one, two in pairwise(pacs.retrieved))
    assert changes == 2 if most else changes > 2


def test_two_pulls_of_one_study(tmp_path, studies):
    uid, files = next(iter(studies.items()))
    transfers = [pulling(tmp_path, uid, f"T-{n}") for n in range(2)]
    pacs = SimulatedPacs()
    pacs.hold(files)
    pacs.on_retrieve = lambda _: time.sleep(0.02)
    with pacs.running() as peer, receiving_service(tmp_path / "home", peer) as service:
        assert at_once(peer, transfers) == [6, 6]
        assert all(whole(transfer, files) for transfer in transfers)
        assert service.left == []


def test_two_pacs_have_the_same_study_with_other_content(tmp_path, studies):
    uid, files = next(iter(studies.items()))
    here, there = SimulatedPacs(), SimulatedPacs()
    here.hold(files)
    there.hold(files)
    for instance in there.instances.values():
        instance.PatientComments = "of the other PACS"
    first, second = pulling(tmp_path, uid, "T-1"), pulling(tmp_path, uid, "T-2")
    for pacs in (here, there):
        pacs.on_retrieve = lambda _: time.sleep(0.05)
    with here.running() as peer, there.running() as other, receiving_service(tmp_path / "home", peer):
        there.destinations = here.destinations
        thread = threading.Thread(target=pull_study, args=(second, replace(other, move_port=peer.move_port)))
        thread.start()
        assert pull_study(first, peer).received == 6
        thread.join(30)
    comments = [
        {dcmread(p).get("PatientComments", "") for p in transfer.workspace.folder("incoming").iterdir()}
        for transfer in (first, second)
    ]
    assert comments == [{""}, {"of the other PACS"}]


def test_what_nobody_asked_for(tmp_path, studies):
    uid, files = next(iter(studies.items()))
    stranger = make_instance(tmp_path / "stranger", "1.2.3", "1.2.3.4", "1.2.3.5")
    pacs = SimulatedPacs(extra=[dcmread(stranger)])
    pacs.hold(files)
    with pacs.running(network_timeout=0.5) as peer:
        with receiving_service(tmp_path / "home", peer) as service:
            assert ask(peer, tmp_path, uid).received == set(files)
            assert (service.counts["unasked"], service.counts["refused"]) == (1, 1)
            to_us = replace(peer, port=peer.move_port, called_aet=peer.move_aet)
            (sent,) = send_files(to_us, [Outgoing.of("x", stranger)])
            assert sent.status == 0x0124
        with receiving_service(tmp_path / "home", peer, shelf=tmp_path / "shelf") as service:
            assert ask(peer, tmp_path, uid).received == set(files)
            assert service.counts["unasked"] == 1
    assert [p.name for p in (tmp_path / "shelf").rglob("*.dcm")] == ["1.2.3.5.dcm"]


def test_who_is_not_known_and_a_full_disk(tmp_path, studies):
    uid, files = next(iter(studies.items()))
    pacs = SimulatedPacs()
    pacs.hold(files)
    with pacs.running() as peer:
        # The simulator calls as SIMULATED.
        with receiving_service(tmp_path / "home", peer, callers={"PACS"}) as service:
            with pytest.raises(AssociationRejected, match="cannot connect to it"):
                ask(peer, tmp_path, uid)
            assert service.counts["rejected"] == 1
            with pytest.raises(PolicyError, match="does not admit OTHER"):
                ask(replace(peer, move_caller="OTHER"), tmp_path, uid)
        with receiving_service(tmp_path / "home", peer, room=1 << 62) as service:
            with pytest.raises(TransferIncomplete):
                pull_study(pulling(tmp_path, uid), peer)
            assert service.counts["out_of_resources"] > 0
        # A caller that the service admits and the connection doesn't: it brings nothing.
        with receiving_service(tmp_path / "home", peer) as service:
            assert ask(replace(peer, move_caller="OTHER"), tmp_path, uid).received == set()
            assert service.counts["unasked"] == 6


def test_a_pull_that_ends_or_says_nothing(tmp_path, studies, monkeypatch):
    uid, files = next(iter(studies.items()))
    pacs = SimulatedPacs()
    pacs.hold(files)
    with pacs.running() as peer, receiving_service(tmp_path / "home", peer) as service:
        service.claims._answer_seconds = 0.2
        stuck = threading.Event()
        original = Inbox.take
        monkeypatch.setattr(Inbox, "take", lambda self, part: stuck.wait(5) and original(self, part))
        asking = threading.Thread(target=ask, args=(peer, tmp_path, uid))
        asking.start()
        deadline = time.monotonic() + 5
        while service.counts["out_of_resources"] < 6 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert service.counts["out_of_resources"] == 6
        stuck.set()
        asking.join(20)
        # What was not answered in time is not lost for the next who asks.
        assert ask(peer, tmp_path, uid).received == set(files)
        assert service.left == []


def test_a_large_instance_is_a_sign_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(desk, "_SIGN_SECONDS", 0.1)
    uid = str(generate_uid())
    pacs = SimulatedPacs()
    pacs.hold(make_study(tmp_path / "made", uid, 1, 1, size=512))
    real = desk.Desk.write

    def slowly(self, part, data):
        time.sleep(0.3)
        real(self, part, data)

    monkeypatch.setattr(desk.Desk, "write", slowly)
    with pacs.running(dimse_timeout=1) as peer, receiving_service(tmp_path / "home", peer):
        begun = time.monotonic()
        assert len(ask(peer, tmp_path, uid).received) == 1
        assert time.monotonic() - begun > 1.5


@pytest.mark.parametrize("by", ["own", "same"])
def test_reports_of_storage_commitment(tmp_path, studies, by, monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path / "home"))
    load_settings.cache_clear()
    files = next(iter(studies.values()))
    pacs = SimulatedPacs(commits=by)
    pacs.hold(files)
    with pacs.running() as peer, receiving_service(tmp_path / "home", peer) as service:
        wanted = [(CT, sop_uid) for sop_uid in files]
        assert commit(peer, [*wanted, (CT, "1.2.3")], 10) == set(files)
        assert service.counts["reports"] == (1 if by == "own" else 0)
        assert service.left == []
    load_settings.cache_clear()


def test_the_service_is_killed_and_started_again(tmp_path, studies):
    uid, files = next(iter(studies.items()))
    home = tmp_path / "home"
    transfer = pulling(tmp_path, uid)
    pacs = SimulatedPacs()
    pacs.hold(files)
    with pacs.running() as peer:
        pacs.entity.dimse_timeout = 1  # how long it waits for a receiver that was killed
        process = start_service(home, peer, "--caller", "SIMULATED")
        try:
            pacs.on_retrieve = lambda number: process.kill() if number == 3 else None
            with pytest.raises(PeerUnavailable, match="ended before all had come"):
                pull_study(transfer, peer)
            with pytest.raises(PeerUnavailable, match="doesn't answer"):
                pull_study(transfer, peer)
            process.wait(10)
            process.stdout.close()
            before = len(list((transfer.workspace.root / "incoming.partial").glob("*.dcm")))
            pacs.retrieved.clear()
            pacs.on_retrieve = lambda _: None
            process = start_service(home, peer, "--caller", "SIMULATED")
            assert pull_study(transfer, peer).received == 6
            assert len(pacs.retrieved) == 6 - before
            process.terminate()
            assert process.wait(10) == 0
            assert f"moved {6 - before}, unasked 0" in process.stdout.read()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(10)
            process.stdout.close()
    assert whole(transfer, files)
    assert (home / "scp").stat().st_mode & 0o077 == 0
    assert (home / "scp" / f"{peer.move_port}.sock").stat().st_mode & 0o077 == 0
    # Nothing that says what was received.
    assert sorted(p.name for p in (home / "scp").iterdir()) == [
        f"{peer.move_port}.{kind}" for kind in ("coming", "lock", "sock")
    ]


def test_one_service_per_port_and_no_pull_beside_it(tmp_path, studies):
    uid, files = next(iter(studies.items()))
    pacs = SimulatedPacs()
    pacs.hold(files)
    with pacs.running() as peer, receiving_service(tmp_path / "home", peer):
        with pytest.raises(PeerUnavailable, match="Another service"), receiving_service(tmp_path / "home", peer):
            pass
        with pytest.raises(PolicyError, match="move_aet of the connection is OTHER"):
            ask(replace(peer, move_aet="OTHER"), tmp_path, uid)
    # A service that cannot listen leaves nothing that pulls would wait for.
    busy = replace(peer, move_port=free_port())
    with (
        receiving_service(tmp_path / "elsewhere", busy),
        pytest.raises(PeerUnavailable, match="cannot listen"),
        receiving_service(tmp_path / "new", busy),
    ):
        pass
    assert not Path(tmp_path / "new" / "scp" / f"{busy.move_port}.sock").exists()
