"""DICOM conversations byte by byte, for tests: a caller that says anything, and a peer that answers anything."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pydicom.uid import ExplicitVRLittleEndian

from airlock.dicomio.wire import command, pdu
from airlock.dicomio.wire.items import Answer, Proposal
from tests.studies import CT

VERIFICATION = "1.2.840.10008.1.1"


def request(called: str = "AIRLOCK", calling: str = "CALLER", classes: Sequence[str] = (CT, VERIFICATION)) -> bytes:
    """Return an A-ASSOCIATE-RQ; the n-th class has context 2n + 1."""
    proposals = {2 * n + 1: Proposal(uid, (ExplicitVRLittleEndian,)) for n, uid in enumerate(classes)}
    return pdu.encode_request(pdu.Request(called, calling, proposals, 16384))


def acceptance(numbers: Sequence[int] = (3,), max_pdu: int = 16384, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return an A-ASSOCIATE-AC. What we send of an explicit VR file is 1 implicit, 3 explicit."""
    asked = pdu.Request("AIRLOCK", "CALLER", {}, 0)
    return pdu.encode_acceptance(asked, pdu.Acceptance({n: Answer(0, syntax) for n in numbers}, max_pdu))


def p_data(data: bytes, *, context: int = 1, flags: int = pdu.LAST) -> bytes:
    return pdu.p_data_head(context, flags, len(data)) + data


def store(sop_uid: str, dataset: bytes, *, sop_class: str = CT, piece: int = 10000) -> bytes:
    """Return a C-STORE request with its dataset."""
    parts = [p_data(command.store_request(1, sop_class, sop_uid), flags=pdu.COMMAND | pdu.LAST)]
    for first in range(0, len(dataset), piece):
        last = pdu.LAST if first + piece >= len(dataset) else 0
        parts.append(p_data(dataset[first : first + piece], flags=last))
    return b"".join(parts)


class Caller:
    """A connection to a storage provider."""

    def __init__(self, port: int, patience: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def say(self, data: bytes) -> Caller:
        self.socket.sendall(data)
        return self

    def hear(self) -> tuple[int, bytes]:
        """Return type and variable field of the next PDU; type 0 when the connection ended."""
        with suppress(ConnectionError):
            head = self._exactly(6)
            if len(head) == 6:
                return head[0], self._exactly(struct.unpack(">L", head[2:])[0])
        return 0, b""

    def status(self) -> int:
        """Return the status of the next answer."""
        kind, body = self.hear()
        assert kind == pdu.P_DATA, kind
        ((_, _, data),) = pdu.fragments(memoryview(body))
        status = command.decode(bytes(data)).status
        assert status is not None
        return status

    def associate(self, **options) -> Caller:
        self.say(request(**options))
        assert self.hear()[0] == pdu.ASSOCIATE_AC
        return self

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self.socket.recv(size - len(data))):
            data += more
        return data


@contextmanager
def scripted_peer(script: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection with a function, in a thread; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    script(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def read_pdu(connection: socket.socket) -> int:
    """Read a PDU; return its type, 0 at the end."""
    head = connection.recv(6, socket.MSG_WAITALL)
    if len(head) < 6:
        return 0
    connection.recv(struct.unpack(">L", head[2:])[0], socket.MSG_WAITALL)
    return head[0]
