"""Pulls that share a receiving service: each gets what it asked for."""

import logging
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio.store import Outgoing, send_files
from airlock.errors import PolicyError
from airlock.retrieve.step import pull_study
from tests.certificates import make_certificate
from tests.pacs import PROGRAMS, START, orthanc_tls
from tests.peers import require
from tests.receiving import SOURCE, ask, at_once, pulling, receiving_service, whole
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_instance, make_study
from tests.transfers import make_transfer


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
def test_no_more_pulls_at_a_time_than_the_policy_says(tmp_path, studies, most):
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
    with pacs.running(network_timeout=2) as peer:
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
