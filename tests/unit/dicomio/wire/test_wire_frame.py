"""Frames carry a dataset as it is, whatever was in them before; and connections keep their patience."""

import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.connection import Connection, Silent
from airlock.dicomio.wire.frame import Frame
from airlock.errors import TransferIncomplete


class Bytes:
    """A source that gives so many bytes at a time at most."""

    def __init__(self, data, most=1 << 30):
        self.data, self.most = data, most

    def readv(self, buffers):
        done = 0
        for buffer in buffers:
            piece = self.data[: min(len(buffer), self.most - done)]
            buffer[: len(piece)] = piece
            self.data = self.data[len(piece) :]
            done += len(piece)
            if len(piece) < len(buffer):
                break
        return done


def carried(data):
    """Return context, flags and bytes of each fragment of P-DATA-TF that follow each other."""
    found = []
    while data:
        kind, length = pdu.HEAD.unpack_from(data)
        assert kind == pdu.P_DATA
        ((context, flags, fragment),) = pdu.fragments(memoryview(data)[6 : 6 + length])
        found.append((context, flags, bytes(fragment)))
        data = data[6 + length :]
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.integers(5, 600).map(lambda half: 2 * half),
    st.lists(st.tuples(st.integers(1, 5000), st.sampled_from([1, 3]), st.booleans(), st.integers(1, 6000)), max_size=4),
)
def test_what_goes_in_comes_out(fragment_bytes, fills):
    frame = Frame(fragment_bytes)
    for number, (wanted, context, last, most) in enumerate(fills):
        size = min(wanted, frame.room)
        data = bytes((number + n) % 251 for n in range(size))
        found = carried(bytes(frame.fill(Bytes(data, most), size, context, last=last)))
        assert b"".join(fragment for *_, fragment in found) == data
        assert {context for context, *_ in found} == {context}
        assert [flags for _, flags, _ in found] == [0] * (len(found) - 1) + [pdu.LAST if last else 0]
        assert {len(fragment) for *_, fragment in found[:-1]} <= {fragment_bytes}


def test_all_of_it_can_be_used():
    frame = Frame(131066)
    found = carried(bytes(frame.fill(Bytes(bytes(frame.room)), frame.room, 1, last=False)))
    assert sum(len(fragment) for *_, fragment in found) == frame.room


def test_a_source_that_ends_too_early():
    with pytest.raises(TransferIncomplete):
        Frame(100).fill(Bytes(bytes(99)), 100, 1, last=True)


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    with one, other:
        yield Connection(one, 0.2), other


def test_a_connection_waits_as_long_as_it_is_told(pair):
    connection, other = pair
    begun = time.monotonic()
    with pytest.raises(Silent):
        connection.read_pdu()
    assert time.monotonic() - begun >= 0.19
    connection.patience = 20
    threading.Timer(0.4, other.sendall, [pdu.encode_release(pdu.RELEASE_RQ)]).start()
    assert connection.read_pdu()[0] == pdu.RELEASE_RQ
    connection.patience = 1e12  # for ever, and no error


def test_a_connection_that_nobody_reads_from(pair):
    connection, _ = pair
    with pytest.raises(Silent):
        connection.send([bytes(1 << 20)] * 100)


def test_a_slow_reader_gets_everything(pair):
    connection, other = pair
    got = bytearray()

    def read():
        while data := other.recv(1 << 20):
            got.extend(data)
            time.sleep(0.005)

    reader = threading.Thread(target=read)
    reader.start()
    parts = [bytes([number % 251]) * 300_000 for number in range(60)]
    connection.send(parts)
    connection.close()
    reader.join(30)
    assert got == b"".join(parts)
