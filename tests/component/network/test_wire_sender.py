"""Sending over the byte path and by the library: the same outcomes, whatever the peer does of what it may."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from pynetdicom import AE, build_context

from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import send_files
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.shelf import Shelf
from airlock.errors import AssociationAborted, AssociationRejected, PeerUnavailable, TransferIncomplete
from tests.simulated_pacs import SimulatedPacs
from tests.studies import CT, MR, make_instance, make_study


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 2, 4)


@pytest.fixture(params=[("wire", 1), ("wire", 3), ("pynetdicom", 1)], ids=lambda p: f"{p[0]}-{p[1]}")
def how(request):
    return {"engine": request.param[0], "associations": request.param[1]}


def outgoing(files):
    return [Outgoing.of(uid, path) for uid, path in files.items()]


def statuses(peer, files):
    return {o.id: o.status for o in send_files(peer, outgoing(files))}


def test_every_file_arrives_as_it_is(files, how):
    before = []
    pacs = SimulatedPacs()
    with pacs.running(**how) as peer:
        outcomes = list(send_files(peer, outgoing(files), before.append))
    assert {o.id for o in outcomes if o.status == 0} == set(files) == set(before)
    for uid, path in files.items():
        sent, got = dcmread(path), pacs.instances[uid]
        assert got == sent
        assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC123, 0x0122, 0xB007])
def test_every_status_is_told(files, how, status):
    with SimulatedPacs(store_statuses={3: status}).running(**how) as peer:
        told = sorted(statuses(peer, files).values())
    assert told == [0] * 7 + [status]


def test_what_is_not_accepted_is_told_and_the_rest_arrives(tmp_path, how):
    files = {}
    for number, sop_class in enumerate([CT, MR, CT, MR]):
        uid = f"1.2.3.{number}"
        files[uid] = make_instance(tmp_path / uid, "1.2", "1.2.3", uid, sop_class=sop_class)
    with SimulatedPacs(storage=[build_context(CT, [ExplicitVRLittleEndian])]).running(**how) as peer:
        assert statuses(peer, files) == {"1.2.3.0": 0, "1.2.3.1": None, "1.2.3.2": 0, "1.2.3.3": None}
    with SimulatedPacs(storage=[build_context(CT, [JPEG2000Lossless])]).running(**how) as peer:
        assert set(statuses(peer, files).values()) == {None}


@pytest.mark.parametrize("refused", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_the_other_uncompressed_encoding_says_the_same(tmp_path, how, refused):
    taken = ImplicitVRLittleEndian if refused == ExplicitVRLittleEndian else ExplicitVRLittleEndian
    names = ["CT_small.dcm", "MR_small.dcm", "reportsi.dcm", "rtplan.dcm", "MR_small_implicit.dcm"]
    made = make_instance(tmp_path / "x", "1.2.3", "1.2.4", "1.2.5", syntax=refused, size=512)
    with made.open("ab") as file:  # after the pixel data
        file.write(
            b"\xfc\xff\xfc\xff" + (b"OB\0\0" if refused == ExplicitVRLittleEndian else b"") + b"\4\0\0\0\0\0\0\0"
        )
    files = {"made": made, **{name: Path(get_testdata_file(name, download=False)) for name in names}}
    datasets = {name: dcmread(path) for name, path in files.items()}
    datasets = {name: d for name, d in datasets.items() if d.file_meta.TransferSyntaxUID == refused}
    pacs = SimulatedPacs(storage=[build_context(d.SOPClassUID, [taken]) for d in datasets.values()])
    with pacs.running(**how) as peer:
        assert set(statuses(peer, {name: files[name] for name in datasets}).values()) == {0}
    assert len(datasets) >= 3
    got = {str(d.SOPInstanceUID): d for d in pacs.instances.values()}
    for dataset in datasets.values():
        there = got[dataset.SOPInstanceUID]
        assert there.file_meta.TransferSyntaxUID == taken
        assert there == dataset


def test_rejections(files, how):
    pacs = SimulatedPacs()
    with pacs.running(**how) as peer:
        with pytest.raises(AssociationRejected, match="not recognised"):
            statuses(replace(peer, called_aet="NOBODY"), files)
        pacs.entity.maximum_associations = 1
        other = AE("OTHER").associate("127.0.0.1", peer.port, [build_context(CT)], ae_title="SIMULATED")
        with pytest.raises(PeerUnavailable, match="for the moment"):
            statuses(peer, files)
        other.release()
    with pytest.raises(PeerUnavailable, match="cannot be reached"):
        statuses(peer, files)


def test_an_abort_tells_what_was_answered_before(files, how):
    seen = []
    ended = pytest.raises(AssociationAborted, match="in the middle of the work")
    with SimulatedPacs(abort_at=5).running(**how) as peer, ended:
        seen.extend(outcome.id for outcome in send_files(peer, outgoing(files)))
    assert 4 - how["associations"] < len(seen) < 8


def test_a_peer_that_falls_silent(files, how):
    released = threading.Event()
    pacs = SimulatedPacs(on_store=lambda n: released.wait(60) if n >= 2 else None)
    with pacs.running(dimse_timeout=0.7, **how) as peer:
        start = time.monotonic()
        with pytest.raises(PeerUnavailable, match=r"did not answer in 0\.7 s"):
            statuses(peer, files)
        assert time.monotonic() - start < 30
        released.set()


def test_who_wants_no_more_waits_for_nothing(files, how):
    released = threading.Event()
    pacs = SimulatedPacs(on_store=lambda n: released.wait(60) if n > 3 else None)
    with pacs.running(**how) as peer:
        outcomes = send_files(peer, outgoing(files))
        next(outcomes)
        start = time.monotonic()
        outcomes.close()
        assert time.monotonic() - start < 30
        released.set()
    # An association that was just being asked for is let go when it is there.
    deadline = time.monotonic() + 10
    while left := [t for t in threading.enumerate() if t.name == "sending"]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_a_peer_that_takes_fewer_associations_gets_fewer(files):
    pacs = SimulatedPacs()
    with pacs.running(associations=4) as peer:
        pacs.entity.maximum_associations = 2
        assert set(statuses(peer, files).values()) == {0}


def test_more_than_128_contexts(tmp_path):
    base = make_instance(tmp_path / "x", "1.2", "1.3", "1.2.3.4", sop_class=f"1.2.840.{10**6}", size=0).read_bytes()
    files = {}
    for n in range(150):
        path = tmp_path / f"{n}.dcm"
        path.write_bytes(base.replace(b"1.2.840.1000000", f"1.2.840.{10**6 + n}".encode()))
        files[str(n)] = path
    counts = Counts()
    server = StorageServer(
        Shelf(tmp_path / "shelf", counts, sync=False, least_free_bytes=0), Admission("ANY-SCP"), counts=counts
    )
    try:
        told = statuses(Peer("127.0.0.1", server.port), files)
    finally:
        server.stop()
    assert server.counts["associations"] == 3
    assert set(told.values()) == {0, 0x0111}  # they say that they are one instance


def test_a_file_that_changed_or_is_gone_stops_the_work(files):
    todo = outgoing(files)
    with SimulatedPacs().running() as peer:
        todo[2].path.unlink()
        with pytest.raises(TransferIncomplete, match=f"The file of {todo[2].id}"):
            list(send_files(peer, todo))
