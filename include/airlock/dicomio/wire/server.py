"""Listens for associations, and serves each in a thread of its own."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from contextlib import suppress

from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.service import Patience
from airlock.dicomio.wire.sink import Sink
from airlock.dicomio.wire.visit import House, Seats, Visit
from airlock.errors import PeerUnavailable

_BACKLOG = 128
_CONNECTIONS_PER_SEAT = 3
"""So many connections for each association that is allowed may be open at a time: most are no association yet."""
_LOOK_SECONDS = 0.5


class StorageServer:
    """A storage provider (PS3.4 annex B) that gives what comes to a sink. It works from when it is made.

    :param host: address to listen on.
    :param port: 0 takes a free one; see :attr:`port`.
    :param most: associations at a time; one more is rejected for the moment.
    :param tls: context of encrypted associations; None takes plain ones.
    :raises PeerUnavailable: when the port is taken.
    """

    def __init__(
        self,
        sink: Sink,
        admission: Admission,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        most: int = 32,
        patience: Patience | None = None,
        tls: ssl.SSLContext | None = None,
        counts: Counts | None = None,
    ) -> None:
        self.counts = counts or Counts()
        self._most_connections = most * _CONNECTIONS_PER_SEAT
        self._house = House(sink, admission, patience or Patience(), Seats(most), tls, self.counts)
        self._lock = threading.Lock()
        self._visits: set[Visit] = set()
        self._stopping = False
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="storage-server", daemon=True)
        self._thread.start()

    @property
    def open(self) -> int:
        """Associations at this moment."""
        return self._house.seats.taken

    def stop(self, grace_seconds: float = 0.0) -> None:
        """Take no more associations, end those that are idle, and the others after a while.

        :param grace_seconds: how long an instance that is coming may take to end.
        """
        self._stopping = True
        self._wake.send(b"x")
        self._thread.join()
        visits = self._all()
        for visit in visits:
            visit.stop()
        deadline = time.monotonic() + grace_seconds
        for visit in visits:
            visit.thread.join(max(0.0, deadline - time.monotonic()))
            visit.shut()
        for visit in visits:
            visit.thread.join(self._house.patience.idle)
        self._wake.close()
        self._woken.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener as listener:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping:
                waiting = self._end_overdue()
                for key, _ in selector.select(_LOOK_SECONDS if waiting else None):
                    if key.fileobj is listener:
                        self._take(listener)

    def _take(self, listener: socket.socket) -> None:
        try:
            plain, _ = listener.accept()
        except OSError:
            # The caller has gone, or there are no descriptors left: they don't come back at once.
            time.sleep(0.01)
            return
        self.counts.add("connections")
        visit = Visit(plain, self._house)
        with self._lock:
            self._visits = {known for known in self._visits if known.thread.ident is None or known.thread.is_alive()}
            full = len(self._visits) >= self._most_connections
            if not full:
                self._visits.add(visit)
        try:
            if not full:
                visit.thread.start()
                return
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._visits.discard(visit)
        self.counts.add("rejected")
        plain.close()

    def _end_overdue(self) -> bool:
        """End connections that became no association in time; return whether others may have to be ended."""
        waiting = [visit for visit in self._all() if visit.half_open and visit.thread.is_alive()]
        for visit in waiting:
            if visit.overdue:
                visit.shut()
        return bool(waiting)

    def _all(self) -> list[Visit]:
        with self._lock:
            return list(self._visits)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        raise PeerUnavailable(f"Airlock cannot listen on {host}: it is no address of this machine.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise PeerUnavailable(
            f"Airlock cannot listen on {host}:{port} ({reason}). Free the port, or choose another one."
        ) from None
    with suppress(OSError):
        listener.setblocking(False)
    return listener
