"""Peers that we send to and that answer nonsense, nothing, or slowly: an error, in bounded time."""

import socket
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
from airlock.errors import AirlockError, AssociationAborted, PeerUnavailable
from tests.raw_dicom import acceptance, p_data, read_pdu, scripted_peer
from tests.studies import make_instance, make_study


@pytest.fixture
def files(tmp_path):
    return make_study(tmp_path / "made", generate_uid(), 2, 4)


def statuses(peer, files):
    return {o.id: o.status for o in send_files(peer, [Outgoing.of(uid, path) for uid, path in files.items()])}


def peer_at(port, **patience):
    return Peer("127.0.0.1", port, **{"acse_timeout": 1, "dimse_timeout": 1, "network_timeout": 1, **patience})


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.0 400 Bad Request\r\n\r\n",
        acceptance()[:-9],
        acceptance([77]),
        acceptance([1], syntax="1.2.3"),
        pdu.encode_abort(2, 0),
        pdu.HEAD.pack(pdu.ASSOCIATE_AC, 0xFFFFFFFF),
        pdu.HEAD.pack(pdu.ASSOCIATE_RJ, 2) + b"xx",
        acceptance() + b"\7\0\0\0",
        acceptance() + pdu.encode_release(pdu.RELEASE_RQ),
        acceptance() + p_data(b"a dataset, not an answer"),
        acceptance() + p_data(b"no command set", flags=3),
        acceptance() + p_data(bytes(60000), flags=1) * 3,
    ],
)
def test_a_peer_that_answers_nonsense(files, reply):
    def script(connection):
        read_pdu(connection)
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with scripted_peer(script) as port:
        start = time.monotonic()
        with pytest.raises((AssociationAborted, PeerUnavailable)):
            statuses(peer_at(port), files)
        assert time.monotonic() - start < 20


def test_a_peer_that_takes_no_data(tmp_path):
    files = {"x": make_instance(tmp_path / "x", "1.2", "1.3", "1.2.3.4", size=4096)}
    done = threading.Event()

    def script(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        read_pdu(connection)
        connection.sendall(acceptance())
        done.wait(10)

    with scripted_peer(script) as port:
        with pytest.raises(PeerUnavailable, match="takes no data"):
            statuses(peer_at(port), files)
        done.set()


def test_a_peer_that_answers_other_questions_for_ever(files):
    over = threading.Event()

    def script(connection):
        read_pdu(connection)
        connection.sendall(acceptance([3, 7]))
        other = command.answer(command.Command(command.STORE_RQ, 4711), 0)
        while not over.wait(0.05):
            connection.sendall(p_data(other, flags=3))

    with scripted_peer(script) as port:
        with pytest.raises(PeerUnavailable, match="did not answer in 1 s"):
            statuses(peer_at(port), files)
        over.set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4), more=st.binary(max_size=200))
def test_damaged_answers_end_in_an_error_or_an_answer(tmp_path, flips, more):
    data = bytearray(acceptance() + more)
    for place, value in flips:
        data[place % len(data)] = value

    def script(connection):
        read_pdu(connection)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    path = tmp_path / "x"
    if not path.exists():
        make_instance(path, "1.2", "1.3", "1.2.3.4", size=4)
    with scripted_peer(script) as port, suppress(AirlockError):
        assert set(statuses(peer_at(port), {"x": path}).values()) <= {None}


@pytest.mark.parametrize("max_pdu", [0, 16, 100, 4096, 131072, 2**32 - 1])
def test_a_peer_may_take_short_or_long_pdus(tmp_path, max_pdu):
    path = make_instance(tmp_path / "x", "1.2", "1.3", "1.2.3.4", size=64)
    heard = []

    def script(connection):
        read_pdu(connection)
        connection.sendall(acceptance(max_pdu=max_pdu))
        data = {True: b"", False: b""}
        while True:
            head = connection.recv(6, socket.MSG_WAITALL)
            length = int.from_bytes(head[2:], "big")
            assert not max_pdu or length <= max_pdu
            for _, flags, fragment in pdu.fragments(memoryview(connection.recv(length, socket.MSG_WAITALL))):
                data[bool(flags & 1)] += bytes(fragment)
                if flags == pdu.LAST:
                    heard.append(data[False])
                    return

    with scripted_peer(script) as port, pytest.raises(AssociationAborted):
        statuses(peer_at(port), {"x": path})
    assert path.read_bytes().endswith(heard[0])
    assert heard[0].startswith(b"\x08\x00\x08\x00CS")
