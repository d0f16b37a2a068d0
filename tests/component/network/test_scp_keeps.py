"""What the receiver keeps, and what it does with instances that it has, or cannot read."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_context

from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import send_files
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.shelf import Shelf
from tests.raw_dicom import Caller, store
from tests.studies import make_instance


@contextmanager
def receiver(folder, **options):
    counts = Counts()
    shelf = Shelf(folder, counts, **{"sync": False, "least_free_bytes": 0, **options})
    server = StorageServer(shelf, Admission("ANY-SCP"), counts=counts)
    try:
        yield server, shelf
    finally:
        server.stop()


def send(port, files, **peer):
    peer = Peer("127.0.0.1", port, **peer)
    return {o.id: o.status for o in send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()])}


def kept(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_other_bytes_under_the_same_uid_are_held_and_refused(tmp_path):
    path = make_instance(tmp_path / "a", "1.2", "1.3", "1.4", size=64)
    other = make_instance(tmp_path / "b", "1.2", "1.3", "1.4", size=64, PatientName="Other^One")
    with receiver(tmp_path / "got") as (server, _):
        assert send(server.port, {"x": path}) == {"x": 0}
        for _ in range(2):
            assert send(server.port, {"x": other}) == {"x": 0x0111}
        assert send(server.port, {"x": path}) == {"x": 0}
        assert (server.counts["conflicts"], server.counts["duplicates"], server.counts["stored"]) == (2, 1, 1)
    first, second = sorted(kept(tmp_path / "got"))
    assert first == "1.2/1.3/1.4.dcm"
    assert second.startswith("conflicts/1.2/1.3/1.4.")
    assert dcmread(tmp_path / "got" / first) == dcmread(path)
    assert dcmread(tmp_path / "got" / second) == dcmread(other)


def test_two_at_once_are_one_file_and_one_conflict(tmp_path):
    path = make_instance(tmp_path / "a", "1.2", "1.3", "1.4", size=64)
    other = make_instance(tmp_path / "b", "1.2", "1.3", "1.4", size=64, PatientName="Other^One")
    halves = [path.read_bytes(), other.read_bytes()]
    messages = [store("1.4", data[data.index(b"\x08\x00\x08\x00CS") :]) for data in halves]
    with receiver(tmp_path / "got") as (server, _):
        callers = [Caller(server.port).associate(called="ANY-SCP") for _ in messages]
        for caller, message in zip(callers, messages, strict=True):
            caller.say(message[:-100])
        for caller, message in zip(callers, messages, strict=True):
            caller.say(message[-100:])
        assert sorted(caller.status() for caller in callers) == [0, 0x0111]
        for caller in callers:
            caller.socket.close()


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "SC_rgb_rle_2frame.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"])
def test_every_encoding_is_kept_as_it_came(tmp_path, name):
    path = Path(get_testdata_file(name, download=False))
    sent = dcmread(path)
    with receiver(tmp_path / "got") as (server, _):
        entity = AE()
        association = entity.associate(
            "127.0.0.1", server.port, [build_context(sent.SOPClassUID, sent.file_meta.TransferSyntaxUID)]
        )
        assert association.send_c_store(sent).Status == 0
        association.release()
    (kept_file,) = (tmp_path / "got").rglob("*.dcm")
    got = dcmread(kept_file)
    assert got == sent
    assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID


def test_private_classes_and_syntaxes_by_policy(tmp_path):
    private_class, private_syntax = "1.3.12.2.1107.5.9.1", "1.2.840.113619.5.2"
    contexts = [build_context(private_class), build_context("1.2.840.10008.5.1.4.1.1.2", private_syntax)]
    for classes, syntaxes in ((True, True), (False, False)):
        counts = Counts()
        shelf = Shelf(tmp_path / "got", counts, sync=False, least_free_bytes=0)
        server = StorageServer(shelf, Admission("ANY-SCP", (), classes, syntaxes), counts=counts)
        try:
            association = AE().associate("127.0.0.1", server.port, [*contexts, build_context("1.2.840.10008.1.1")])
            accepted = {c.abstract_syntax for c in association.accepted_contexts}
            association.release()
        finally:
            server.stop()
        both = {private_class, "1.2.840.10008.5.1.4.1.1.2"}
        assert accepted == {"1.2.840.10008.1.1"} | (both if classes else set())
