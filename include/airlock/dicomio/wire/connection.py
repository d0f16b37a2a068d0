"""A connection that carries PDUs: blocking, in bounded memory, and never waiting for a delayed acknowledgement."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress

from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.items import Malformed
from airlock.errors import PeerDown

Bytes = bytes | bytearray | memoryview
_MOST_PARTS = 1000  # below IOV_MAX of Linux
_LONGEST = {
    pdu.ASSOCIATE_RQ: pdu.MAX_NEGOTIATION_BYTES,
    pdu.ASSOCIATE_AC: pdu.MAX_NEGOTIATION_BYTES,
    pdu.ASSOCIATE_RJ: 4,
    pdu.P_DATA: pdu.MAX_PDU_BYTES,
    pdu.RELEASE_RQ: 4,
    pdu.RELEASE_RP: 4,
    pdu.ABORT: 4,
}
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
_TIME = struct.Struct("@ll")  # struct timeval
_LONGEST_SECONDS = 1e8  # three years; more would not fit


class Lost(Exception):
    """The connection was closed, or failed, at the other end or between."""


class Silent(Exception):
    """The other end let the time pass: nothing came, or not enough, or it took nothing."""


class Connection:
    """PDUs over a connected socket, which it owns.

    :param patience: seconds that nothing may come, or be taken, before it is :class:`Silent`.
    :param room: bytes of its buffer; a PDU must fit in.
    """

    def __init__(self, plain: socket.socket, patience: float, *, room: int = 1 << 18) -> None:
        self._socket = plain
        # An SSLSocket; naming it would import ssl, which sending without it does not need.
        self._encrypted = type(plain) is not socket.socket
        self._buffer = bytearray(max(room, pdu.MAX_NEGOTIATION_BYTES + 6))
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._patience = patience
        self._wait(patience)
        with suppress(OSError):  # it may have been closed by now; reading tells
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Once set, the kernel goes back to delaying by itself: it has to be told again before each read.
        self._quick = _QUICKACK

    @property
    def patience(self) -> float:
        """Seconds that nothing may come, or be taken."""
        return self._patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        if seconds != self._patience:
            self._patience = seconds
            self._wait(seconds)

    def read_pdu(self) -> tuple[int, memoryview]:
        """Return type and variable field of the next PDU; they are valid until the next one is read.

        It may take as long to begin as it is waited for, and as long again to be whole.

        :raises Lost: when the connection ends.
        :raises Silent: when it doesn't come in time.
        :raises Malformed: when it is longer than its type allows, or of no known type.
        """
        here = self._end - self._start
        deadline = 0.0
        if here < 6:
            self._need(1, float("inf"))
            deadline = time.monotonic() + self._patience
            self._need(6, deadline)
        kind, length = pdu.HEAD.unpack_from(self._buffer, self._start)
        longest = _LONGEST.get(kind)
        if longest is None:
            raise Malformed("it is a PDU of a type that does not exist")
        if length > longest:
            raise Malformed("a PDU is longer than its type allows")
        if here < 6 + length:
            self._need(6 + length, deadline or time.monotonic() + self._patience)
        begin = self._start + 6
        self._start = begin + length
        return kind, self._view[begin : self._start]

    def send(self, parts: Sequence[Bytes]) -> None:
        """Send bytes, one part after the other.

        :raises Lost: when the connection ends.
        :raises Silent: when the other end doesn't take them.
        """
        try:
            if self._encrypted:
                self._socket.sendall(b"".join(parts))
            else:
                for first in range(0, len(parts), _MOST_PARTS):
                    self._gather(parts[first : first + _MOST_PARTS])
        except (TimeoutError, BlockingIOError):
            raise Silent("it takes nothing") from None
        except (OSError, ValueError):
            raise Lost("it was closed") from None

    def close(self) -> None:
        """Close it; what was sent still goes out."""
        self._socket.close()

    def close_gently(self, patience: float = 1.0) -> None:
        """Close it after the other end did, so that it reads what was sent last: an abort, a rejection, a release.

        Closing with bytes unread would take that back.
        """
        with suppress(OSError, ValueError):
            self._wait(patience)
            if not self._encrypted:
                self._socket.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and self._socket.recv_into(self._view):
                pass
        self._socket.close()

    def shut(self) -> None:
        """Have the thread that reads or writes find it closed; safe from any other thread."""
        with suppress(OSError):
            # Not SSLSocket.shutdown, which drops the encryption under the thread that uses it.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _wait(self, seconds: float) -> None:
        """Set how long reading and writing wait.

        The kernel keeps the time where it can: Python would ask it with a call of its own before each of ours, and
        writing would come back for every few bytes that there is room for.
        """
        seconds = min(seconds, _LONGEST_SECONDS)
        if self._encrypted:
            self._socket.settimeout(seconds)
            return
        whole = int(seconds)
        limit = _TIME.pack(whole, max(int((seconds - whole) * 1_000_000), 0 if whole else 1))
        with suppress(OSError):  # as above
            self._socket.setblocking(True)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def _need(self, size: int, deadline: float) -> None:
        """Read until the buffer holds that much."""
        if self._end - self._start >= size:
            return
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start + size > len(self._buffer):
            left = self._end - self._start
            self._view[:left] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, left
        while self._end - self._start < size:
            self._receive()
            if time.monotonic() > deadline:
                raise Silent("it is too slow")

    def _receive(self) -> None:
        try:
            if self._quick is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, self._quick, 1)
            count = self._socket.recv_into(self._view[self._end :])
        except (TimeoutError, BlockingIOError):
            raise Silent("nothing comes") from None
        except (OSError, ValueError):
            raise Lost("it failed") from None
        if not count:
            raise Lost("it was closed")
        self._end += count

    def _gather(self, parts: Sequence[Bytes]) -> None:
        left = sum(map(len, parts))
        while (sent := self._socket.sendmsg(parts)) < left:
            left -= sent
            parts = rest_of(parts, sent)


def rest_of(parts: Sequence[Bytes], done: int) -> list[Bytes]:
    """Return what is left of some parts after so many of their bytes, which are fewer than all."""
    first = 0
    while done >= len(parts[first]):
        done -= len(parts[first])
        first += 1
    return [memoryview(parts[first])[done:], *parts[first + 1 :]]


def closed(name: str) -> PeerDown:
    """Return the error for a peer that takes a connection and closes it before it has said anything."""
    return PeerDown(f"{name} took the connection and closed it without an answer. Check that it runs.")
