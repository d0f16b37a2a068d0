"""A connection that somebody made to us: encrypted, accepted or rejected, served, and closed, in one thread."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.connection import Connection, Lost, Silent
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.items import Malformed
from airlock.dicomio.wire.service import Patience, Service, abort, contexts_of
from airlock.dicomio.wire.sink import Caller, Sink

_associations = itertools.count(1)


class Seats:
    """So many associations at a time."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> bool:
        """Take one, if there is one."""
        with self._lock:
            if self.taken >= self._number:
                return False
            self.taken += 1
            return True

    def leave(self) -> None:
        """Give one back."""
        with self._lock:
            self.taken -= 1


@dataclass(frozen=True)
class House:
    """What all visits share."""

    sink: Sink
    admission: Admission
    patience: Patience
    seats: Seats
    tls: ssl.SSLContext | None
    counts: Counts


class Visit:
    """One connection.

    :param plain: connected; it is closed when :meth:`serve` returns.
    """

    def __init__(self, plain: socket.socket, house: House) -> None:
        self._socket = plain
        self._house = house
        self._since = time.monotonic()
        self._service: Service | None = None
        self._stopped = False
        self.thread = threading.Thread(target=self.serve, name="association", daemon=True)

    @property
    def half_open(self) -> bool:
        """Whether it is no association yet."""
        return self._service is None

    @property
    def overdue(self) -> bool:
        """Whether it should have become an association by now."""
        return self.half_open and time.monotonic() - self._since > self._house.patience.association

    def stop(self) -> None:
        """End it, after the instance that is just coming."""
        service = self._service
        self._stopped = True
        if service is not None:
            service.stopping = True
        if service is None or not service.busy:
            self.shut()

    def shut(self) -> None:
        """End it now."""
        with suppress(OSError):
            # Not SSLSocket.shutdown, which drops the encryption under the thread that uses it.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def serve(self) -> None:
        """Do all of it."""
        counts, patience = self._house.counts, self._house.patience
        try:
            self._encrypt()
        except (OSError, ValueError):
            counts.add("rejected")
            self._socket.close()
            return
        connection = Connection(self._socket, patience.association)
        try:
            self._associate(connection)
        except Lost:
            counts.add("aborted")
        except Silent:
            counts.add("aborted")
            abort(connection, pdu.NO_REASON)
        except Malformed:
            counts.add("aborted")
            abort(connection, pdu.INVALID_PARAMETER)
        except Exception:  # noqa: BLE001 - a thread's last words would be a traceback, with values in it
            counts.add("aborted")
            abort(connection, pdu.NO_REASON)
        finally:
            connection.close_gently()
            # It holds a buffer, and who listed this visit may keep it for a while.
            self._service = None

    def _encrypt(self) -> None:
        self._socket.settimeout(self._house.patience.association)
        if self._house.tls is not None:
            # The handshake is apart, so that it can be ended from outside.
            self._socket = wrapped = self._house.tls.wrap_socket(
                self._socket, server_side=True, do_handshake_on_connect=False
            )
            wrapped.do_handshake()

    def _associate(self, connection: Connection) -> None:
        house = self._house
        kind, body = connection.read_pdu()
        if kind == pdu.ABORT:
            return
        if kind != pdu.ASSOCIATE_RQ:
            raise Malformed("something before the association")
        request = pdu.decode_request(body)
        rejection = house.admission.rejection(request)
        if rejection is None and not house.seats.take():
            rejection = pdu.Rejection(pdu.TRANSIENT, pdu.BY_PRESENTATION, pdu.LIMIT_EXCEEDED)
        if rejection is not None:
            house.counts.add("rejected")
            connection.send([pdu.encode_rejection(rejection)])
            return
        try:
            self._serve(connection, request)
        finally:
            house.seats.leave()

    def _serve(self, connection: Connection, request: pdu.Request) -> None:
        house = self._house
        acceptance = house.admission.acceptance(request)
        contexts = contexts_of(request, acceptance)
        caller = Caller(request.calling, request.called, self._address(), next(_associations))
        self._service = Service(connection, contexts, request.max_pdu, house.sink, house.patience, house.counts, caller)
        self._service.stopping = self._stopped
        house.counts.add("associations")
        try:
            connection.send([pdu.encode_acceptance(request, acceptance)])
            self._service.run()
        finally:
            house.sink.ended(caller)

    def _address(self) -> str:
        with suppress(OSError):
            return str(self._socket.getpeername()[0])
        return ""
