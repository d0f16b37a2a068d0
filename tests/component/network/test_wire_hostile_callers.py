"""What may connect to our port: nothing of it harms the others, or stays."""

import socket
import struct
import threading
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from airlock.dicomio.outgoing import Outgoing
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import send_files
from airlock.dicomio.wire import command, pdu
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.service import Patience
from airlock.dicomio.wire.shelf import Shelf
from tests.raw_dicom import Caller, acceptance, p_data, request, store
from tests.studies import make_instance

ABORTED = (pdu.ABORT, 0)


@pytest.fixture
def server(tmp_path):
    counts = Counts()
    shelf = Shelf(tmp_path / "shelf", counts, sync=False, least_free_bytes=0)
    running = StorageServer(shelf, Admission("AIRLOCK"), most=4, patience=Patience(0.6, 0.6), counts=counts)
    yield running
    running.stop()
    assert not [t for t in threading.enumerate() if t.name == "association"]
    assert not list((tmp_path / "shelf").rglob("*.part"))


def dataset(tmp_path, uid, size=64):
    data = make_instance(tmp_path / "made", "1.2.3", "1.2.3.4", uid, size=size).read_bytes()
    return data[data.index(b"\x08\x00\x08\x00CS") :]


def works(server):
    with Caller(server.port) as caller:
        caller.associate().say(
            p_data(b"".join(ECHO), context=3, flags=pdu.COMMAND | pdu.LAST),
        )
        assert caller.status() == 0
        caller.say(pdu.encode_release(pdu.RELEASE_RQ))
        assert caller.hear()[0] == pdu.RELEASE_RP


ECHO_BODY = [
    struct.pack("<HHL", 0, 2, 18) + b"1.2.840.10008.1.1\0",
    struct.pack("<HHLH", 0, 0x100, 2, 0x30),
    struct.pack("<HHLH", 0, 0x110, 2, 1),
    struct.pack("<HHLH", 0, 0x800, 2, 0x101),
]
ECHO = [struct.pack("<HHLL", 0, 0, 4, sum(map(len, ECHO_BODY))), *ECHO_BODY]


VALID = request() + store("1.2.3.4.5", b"\x08\x00\x16\x00UI\x1a\x00" + bytes(600), piece=100)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=600),
        st.tuples(st.integers(1, 8), st.integers(0, 2**32 - 1), st.binary(max_size=60)).map(
            lambda t: struct.pack(">BBL", t[0], 0, t[1]) + t[2]
        ),
        st.tuples(
            st.integers(0, len(VALID)),
            st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=3),
        ).map(lambda t: _flipped(*t)),
    )
)
def test_garbage_of_every_kind(server, data):
    with Caller(server.port, 2) as caller, suppress(OSError):
        caller.say(data)
        caller.socket.shutdown(socket.SHUT_WR)
        while caller.hear()[0]:
            pass
    works(server)


def _flipped(cut, flips):
    data = bytearray(VALID)
    for place, value in flips:
        data[place] = value
    return bytes(data[:cut])


@pytest.mark.parametrize(
    "out_of_place",
    [
        p_data(b"x"),
        acceptance(),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        struct.pack(">BxL", pdu.ASSOCIATE_RQ, 0xFFFFFFFF),
        struct.pack(">BxL", pdu.ASSOCIATE_RQ, 4) + b"1234",
    ],
)
def test_what_comes_before_an_association(server, out_of_place):
    with Caller(server.port) as caller:
        assert caller.say(out_of_place).hear()[0] == pdu.ABORT
    works(server)


@pytest.mark.parametrize(
    "out_of_place",
    [
        request(),
        p_data(b"dataset that nothing announced"),
        p_data(command.store_request(1, "1.2.3", "1.2.3.4"), context=99, flags=3),
        struct.pack(">BxL", pdu.P_DATA, 1 << 31),
        struct.pack(">BxLLBB", pdu.P_DATA, 6, 1 << 31, 1, 0),
        pdu.HEAD.pack(pdu.P_DATA, 0),
        p_data(command.store_request(1, "1.2.840.10008.5.1.4.1.1.2", "1.2.3"), flags=3) * 2,
        b"".join(p_data(bytes(10000), flags=pdu.COMMAND) for _ in range(8)),
        bytes(6),
    ],
)
def test_what_has_no_place_in_an_association(server, out_of_place):
    with Caller(server.port) as caller:
        caller.associate()
        assert caller.say(out_of_place).hear()[0] == pdu.ABORT
        assert caller.hear()[0] == 0
    works(server)


def test_who_says_nothing_or_a_byte_now_and_then_is_left(server, tmp_path):
    callers = [Caller(server.port) for _ in range(5)]
    stuck = Caller(server.port).associate().say(store("1.2.3.4.5", bytes(5000), piece=100)[:-2000])
    ended = threading.Event()

    def trickle():
        data = iter(request())
        with suppress(OSError):
            while not ended.wait(0.1):
                for caller in callers[1:3]:
                    caller.say(bytes([next(data)]))
                stuck.say(p_data(b"x", flags=0))

    thread = threading.Thread(target=trickle)
    thread.start()
    start = time.monotonic()
    works(server)  # meanwhile
    try:
        for caller in [*callers, stuck]:
            while caller.hear()[0] not in ABORTED:
                pass
        assert time.monotonic() - start < 15
    finally:
        ended.set()
        thread.join()
        for caller in [*callers, stuck]:
            caller.socket.close()
    assert server.open == 0
    works(server)


def test_an_association_is_not_disturbed_by_others(server, tmp_path):
    files = {}
    for _ in range(40):
        uid = generate_uid()
        files[uid] = make_instance(tmp_path / "in" / uid, "1.2.3", "1.2.3.4", uid, size=128)
    stop = threading.Event()

    def disturb():
        while not stop.is_set():
            for data in (b"\0" * 100, request()[:50], request() + b"\xff" * 300, VALID[:-300]):
                with suppress(OSError), Caller(server.port, 1) as caller:
                    caller.say(data)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        peer = Peer("127.0.0.1", server.port, called_aet="AIRLOCK")
        outcomes = list(send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()]))
    finally:
        stop.set()
        thread.join()
    assert [o.status for o in outcomes] == [0] * 40
    assert {p.stem for p in (tmp_path / "shelf").rglob("1.*.dcm")} == set(files)


def test_one_association_too_many_is_rejected_for_the_moment(server):
    callers = [Caller(server.port).associate() for _ in range(4)]
    with Caller(server.port) as caller:
        kind, body = caller.say(request()).hear()
        assert (kind, body[1:]) == (pdu.ASSOCIATE_RJ, bytes((pdu.TRANSIENT, pdu.BY_PRESENTATION, pdu.LIMIT_EXCEEDED)))
    callers[0].say(pdu.encode_release(pdu.RELEASE_RQ))
    assert callers[0].hear()[0] == pdu.RELEASE_RP
    callers[0].socket.close()
    deadline = time.monotonic() + 3
    while server.open == 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    works(server)
    for caller in callers:
        caller.socket.close()


def test_many_half_open_connections_are_bounded(server):
    callers = [Caller(server.port) for _ in range(30)]
    assert len([t for t in threading.enumerate() if t.name == "association"]) <= 12
    for caller in callers:
        caller.socket.close()
    deadline = time.monotonic() + 5
    while [t for t in threading.enumerate() if t.name == "association"] and time.monotonic() < deadline:
        time.sleep(0.01)
    works(server)


@pytest.mark.parametrize("uid", ["../../../tmp/evil", "1.2.3/4", "", "1" * 65, "1.2.3\n", "1..2"])
def test_a_uid_that_is_none_leads_nowhere(server, tmp_path, uid):
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    with Caller(server.port) as caller:
        caller.associate().say(store(uid, dataset(tmp_path, "1.2.3.4.5")))
        assert caller.status() == 0xA900
    for element, hostile in ((b"\x20\x00\x0d\x00UI", b"../../.."), (b"\x20\x00\x0e\x00UI", b"/etc/xyz")):
        data = dataset(tmp_path, "1.2.3.4.5")
        at = data.index(element) + 6
        length = struct.unpack("<H", data[at : at + 2])[0]
        data = data[:at] + struct.pack("<H", 8) + hostile + data[at + 2 + length :]
        with Caller(server.port) as caller:
            caller.associate().say(store("1.2.3.4.5", data))
            assert caller.status() == 0xC000
    assert {p for p in tmp_path.rglob("*") if p.is_file()} - before == {tmp_path / "made"}


@pytest.mark.parametrize(("called", "calling"), [("../../x", "A"), ("\0\xff\\", "A"), ("AIRLOCK", "..//\n")])
def test_titles_are_compared_and_nothing_else(server, called, calling):
    with Caller(server.port) as caller:
        kind, _ = caller.say(request(called=called, calling=calling)).hear()
    assert kind == (pdu.ASSOCIATE_AC if called == "AIRLOCK" else pdu.ASSOCIATE_RJ)
