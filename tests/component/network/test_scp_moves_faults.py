"""Pulls that share a receiving service: what happens when somebody ends, says nothing, or is not known."""

import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from airlock.dicomio.commit import commit
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.wire import desk
from airlock.errors import AssociationRejected, PeerUnavailable, PolicyError, TransferIncomplete
from airlock.retrieve.step import pull_study
from airlock.settings import load_settings
from demo.services import free_port
from tests.receiving import ask, pulling, receiving_service, start_service, whole
from tests.simulated_pacs import SimulatedPacs
from tests.studies import CT, make_study


@pytest.fixture
def studies(tmp_path):
    uids = [str(generate_uid()) for _ in range(3)]
    return {uid: make_study(tmp_path / f"made{n}", uid, 2, 3) for n, uid in enumerate(uids)}


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
        monkeypatch.setattr(Inbox, "take", lambda self, part: stuck.wait(60) and original(self, part))
        asking = threading.Thread(target=ask, args=(peer, tmp_path, uid))
        asking.start()
        deadline = time.monotonic() + 30
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
        time.sleep(0.8)
        real(self, part, data)

    monkeypatch.setattr(desk.Desk, "write", slowly)
    with pacs.running(dimse_timeout=3) as peer, receiving_service(tmp_path / "home", peer):
        begun = time.monotonic()
        assert len(ask(peer, tmp_path, uid).received) == 1
        assert time.monotonic() - begun > 3


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
