"""Sent means that the destination has it, whichever way it is asked; and how it is given what it takes."""

import time
from contextlib import suppress

import pytest
from pydicom.uid import generate_uid

from airlock.deliver import sending, stow
from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.find import find_instances
from airlock.errors import (
    AssociationAborted,
    AssociationRejected,
    DeliveryRefused,
    OutsideHours,
    PeerUnavailable,
    PolicyError,
    TransferIncomplete,
)
from airlock.ledger import InstanceState
from tests.pacs import WEB_PLUGIN, orthanc_web
from tests.peers import require, require_file
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_ready, make_transfer


@pytest.fixture(autouse=True)
def no_second_look(monkeypatch):
    monkeypatch.setattr(sending, "_SECOND_LOOK_SECONDS", 0.0)


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 1, 6)


def to(tmp_path, files, **destination):
    transfer = make_transfer(tmp_path, policy={"destination": {"busy_seconds": 0.01, **destination}})
    make_ready(transfer, files)
    return transfer


def kinds(transfer, step):
    return [kind for _, s, kind, _ in transfer.ledger.events(transfer.id) if s == step]


def test_two_refusals_for_want_of_resources_then_success_is_three_attempts(tmp_path, files):
    transfer = to(tmp_path, files)
    pacs = SimulatedPacs(store_statuses={2: 0xA700, 7: 0xA701})
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(pacs.stored) == 8
    assert kinds(transfer, "send") == ["finished"] * 3


def test_busy_for_longer_is_left_to_a_later_try(tmp_path, files):
    transfer = to(tmp_path, files, busy_retries=1)
    pacs = SimulatedPacs(store_statuses=dict.fromkeys(range(1, 13), 0xA700))
    with pacs.running() as peer:
        with pytest.raises(PeerUnavailable, match="6 of 6"):
            send_to_research(transfer, peer)
        assert len(pacs.stored) == 12
        assert transfer.ledger.counts(transfer.id).open == 6
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6


def test_a_refusal_is_told_even_when_the_association_ends_after_it(tmp_path, files):
    transfer = to(tmp_path, files)
    pacs = SimulatedPacs(store_statuses={2: 0xA900}, abort_at=4)
    with pacs.running() as peer:
        with pytest.raises(AssociationAborted):
            send_to_research(transfer, peer)
        # a retry sends what is left, not what was refused
        with pytest.raises(DeliveryRefused, match="1 of 6"):
            send_to_research(transfer, peer)
        assert len(set(pacs.stored)) == 6
        assert len(pacs.stored) == 7
        # cleared by a person: now the refused one again
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6


def test_warnings_are_counted_by_status(tmp_path, files):
    transfer = to(tmp_path, files)
    with SimulatedPacs(store_statuses={1: 0xB000, 2: 0xB007, 3: 0xB000}).running() as peer:
        send_to_research(transfer, peer)
    (told,) = [d for _, s, kind, d in transfer.ledger.events(transfer.id) if kind == "finished"]
    assert (told["warnings"], told["warnings_0xB000"], told["warnings_0xB007"]) == (3, 2, 1)


def test_a_destination_that_limits_its_answers_still_proves_all(tmp_path, files):
    transfer = to(tmp_path, files)
    with SimulatedPacs(limit=2).running() as peer:
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6


@pytest.mark.parametrize("way", ["same", "own"])
def test_storage_commitment(tmp_path, files, way):
    transfer = to(tmp_path, files, proof="storage-commitment", commitment_seconds=30)
    pacs = SimulatedPacs(commits=way, find=False, drop={2})
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        # one was acknowledged and forgotten: the PACS doesn't commit itself to it, so it is sent again
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(pacs.stored) == 7


def test_storage_commitment_that_does_not_come(tmp_path, files):
    transfer = to(tmp_path, files, proof="storage-commitment", commitment_seconds=0.3)
    with SimulatedPacs(commits="silent").running() as peer:
        send_to_research(transfer, peer)
        with pytest.raises(PeerUnavailable, match="did not report"):
            confirm_receipt(transfer, peer)
    assert transfer.ledger.counts(transfer.id).sent == 0
    with SimulatedPacs().running() as peer, pytest.raises(AssociationRejected):
        confirm_receipt(transfer, peer)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    require("Orthanc")
    require_file(WEB_PLUGIN)
    with orthanc_web(tmp_path_factory.mktemp("orthanc")) as peers:
        yield peers


def test_storage_commitment_of_orthanc(orthanc, tmp_path, files):
    transfer = to(tmp_path, files, proof="storage-commitment", commitment_seconds=20)
    send_to_research(transfer, orthanc[0])
    assert confirm_receipt(transfer, orthanc[0]).sent == 6


def test_stow_and_qido(orthanc, tmp_path, files, monkeypatch):
    monkeypatch.setattr(stow, "MOST_FILES", 4)
    dimse, web = orthanc
    transfer = to(tmp_path, files, method="stow-rs")
    with pytest.raises(PolicyError, match="DICOMweb"):
        send_to_research(transfer, dimse)
    send_to_research(transfer, web)
    assert {i.status for i in transfer.ledger.instances(transfer.id)} == {0}
    assert confirm_receipt(transfer, web).sent == 6
    (study,) = {path.parent.parent.name for path in transfer.workspace.folder("deidentified").rglob("*.dcm")}
    assert set(find_instances(dimse, study)) == set(files)


def test_many_files_go_in_batches(tmp_path, files):
    transfer = to(tmp_path, files, batch=4)
    associations = []
    pacs = SimulatedPacs()
    pacs.on_store = lambda n: associations.append(id(pacs.entity.active_associations[0]))
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert confirm_receipt(transfer, peer).sent == 6
    assert len(set(associations)) == 2


def test_a_rate(tmp_path, files):
    size = next(iter(files.values())).stat().st_size
    transfer = to(tmp_path, files, kilobytes_per_second=6 * size / 1000)
    with SimulatedPacs().running() as peer:
        begun = time.monotonic()
        send_to_research(transfer, peer)
        # five of six waited a sixth of a second each
        assert time.monotonic() - begun >= 5 / 6


def test_nothing_is_sent_outside_the_hours(tmp_path, files):
    transfer = to(tmp_path, files, hours=["00:00-00:00"])
    pacs = SimulatedPacs()
    with pacs.running() as peer:
        send_to_research(transfer, peer)
        assert len(pacs.stored) == 6
    closed = make_transfer(tmp_path / "b", policy={"destination": {"hours": _not_now()}})
    make_ready(closed, files)
    with pacs.running() as peer, pytest.raises(OutsideHours) as caught:
        send_to_research(closed, peer)
    assert 0 < caught.value.seconds <= 86400
    assert len(pacs.stored) == 6


def _not_now():
    from datetime import datetime, timedelta

    now = datetime.now().astimezone()
    return [f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=4):%H:%M}"]


def test_dropped_for_good_is_no_success(tmp_path, files):
    transfer = to(tmp_path, files)
    pacs = SimulatedPacs(drop={3, 7, 8})
    with pacs.running() as peer:
        for _ in range(2):
            with suppress(TransferIncomplete):
                confirm_receipt(transfer, peer)
        assert len(transfer.ledger.instances(transfer.id, InstanceState.SENT)) == 5
        assert confirm_receipt(transfer, peer).sent == 6
