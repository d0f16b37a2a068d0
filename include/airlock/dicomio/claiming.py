"""A pull's end of the socket of the receiving service (`airlock scp --moves`): it claims, and decides on each offer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from airlock.dicomio.wire.claim import (
    Claim,
    Lines,
    NotUnderstood,
    Offer,
    address,
    coming_folder,
    line,
    said_in,
    socket_path,
)
from airlock.dicomio.wire.received import OfferedFile
from airlock.dicomio.wire.sink import OUT_OF_RESOURCES
from airlock.errors import AirlockError, PeerUnavailable, PolicyError

_PATIENCE_SECONDS = 10.0
_READ_BYTES = 1 << 14


class Waiting(Protocol):
    """Who waits for what is claimed. Called from a thread of the claim's own; raises nothing."""

    def decide(self, file: OfferedFile | None) -> int:
        """Keep a file or not, and let go of it; return the status of the answer. None is a file that is not there."""

    def notice(self) -> None:
        """Take note that something is under way."""

    def give_up(self) -> None:
        """Wait no longer: nothing more will come."""


class Holding:
    """A claim that the service has welcomed.

    :param plain: connected; closed by :meth:`end`.
    :param lines: what was read of it.
    :param welcome: what the service said first.
    """

    def __init__(
        self,
        plain: socket.socket,
        lines: Lines,
        welcome: tuple[int, bool],
        coming: Path,
        waiting: Waiting,
    ) -> None:
        self.message_id, self._sync = welcome
        self._socket, self._lines, self._coming = plain, lines, coming
        self._waiting = waiting
        self._ending = False
        self.lost = False
        """Whether the service ended before we did."""
        self._thread = threading.Thread(target=self._hear, name="claim", daemon=True)

    def begin(self, first: list[bytes]) -> None:
        """Hear what is offered.

        :param first: lines that came with the welcome.
        """
        self._first = first
        self._thread.start()

    def end(self) -> None:
        """Give the claim up, after what is just being decided."""
        self._ending = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(_PATIENCE_SECONDS)
        self._socket.close()

    def _hear(self) -> None:
        try:
            for text in self._first:
                self._take(text)
            while data := self._socket.recv(_READ_BYTES):
                for text in self._lines.add(data):
                    self._take(text)
        except (OSError, NotUnderstood):
            pass
        self.lost = not self._ending
        if self.lost:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._waiting.give_up()

    def _take(self, text: bytes) -> None:
        said = said_in(text)
        if "offer" not in said:
            self._waiting.notice()
            return
        offer = Offer.of(said)
        try:
            status = self._waiting.decide(self._file(offer))
        except Exception:  # noqa: BLE001 - a thread's last words would be a traceback, with values in it
            status = OUT_OF_RESOURCES
        self._socket.sendall(line({"offer": offer.number, "status": status}))

    def _file(self, offer: Offer) -> OfferedFile | None:
        with suppress(OSError):
            return OfferedFile(self._coming / offer.file, offer.incoming, offer.offset, sync=self._sync)
        return None


@contextmanager
def claimed(folder: Path, port: int, claim: Claim, waiting: Waiting) -> Iterator[Holding | None]:
    """Have the service of a port, if there is one, give us what we ask for while the block runs.

    :param folder: `<AIRLOCK_HOME>/scp`.
    :returns: None when there is no service.
    :raises PeerUnavailable: when it doesn't answer, or ended before the block did.
    :raises PolicyError: when it cannot serve this claim.
    """
    path = socket_path(folder, port)
    if not path.exists():
        yield None
        return
    plain = _connect(path, port)
    try:
        lines = Lines()
        with suppress(BrokenPipeError):  # it may have said that it is busy, and gone
            plain.sendall(claim.line())
        first, *rest = _first_lines(plain, lines)
        holding = Holding(plain, lines, _welcome(first, port), coming_folder(folder, port), waiting)
    except (OSError, NotUnderstood):
        plain.close()
        raise _silent(path, port) from None
    except AirlockError:
        plain.close()
        raise
    plain.settimeout(None)
    holding.begin(rest)
    try:
        yield holding
    except Exception:
        if holding.lost:
            raise _died(port) from None
        raise
    finally:
        holding.end()
    if holding.lost:
        raise _died(port)


def _connect(path: Path, port: int) -> socket.socket:
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with _address(path, port) as name:
        while True:
            try:
                plain.settimeout(_PATIENCE_SECONDS)
                plain.connect(name)
            except BlockingIOError:  # many at once: its queue is full for a moment
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
            except OSError:
                pass
            else:
                return plain
            plain.close()
            raise _silent(path, port)


@contextmanager
def _address(path: Path, port: int) -> Iterator[str]:
    """As :func:`airlock.dicomio.wire.claim.address`.

    :raises PeerUnavailable: when the folder has gone.
    """
    try:
        with address(path) as name:
            yield name
    except OSError:
        raise _silent(path, port) from None


def _first_lines(plain: socket.socket, lines: Lines) -> list[bytes]:
    """Read until there is a line.

    :raises NotUnderstood: when there is none before the end.
    :raises OSError: when it doesn't come in time.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and (data := plain.recv(_READ_BYTES)):
        if found := list(lines.add(data)):
            return found
    raise NotUnderstood("it says nothing")


def _welcome(text: bytes, port: int) -> tuple[int, bool]:
    said = said_in(text)
    if "busy" in said:
        raise PeerUnavailable(f"The service that receives at port {port} has as many pulls as it takes at a time.")
    if isinstance(refused := said.get("refused"), str):
        raise PolicyError(refused)
    number, sync = said.get("welcome"), said.get("sync")
    if type(number) is not int or not 0 < number <= 0xFFFF or not isinstance(sync, bool):
        raise NotUnderstood("a welcome is not valid")
    return number, sync


def _silent(path: Path, port: int) -> PeerUnavailable:
    return PeerUnavailable(
        f"The service that receives at port {port} (airlock scp --moves) doesn't answer. Start it again; or remove "
        f"{path.name} below AIRLOCK_HOME/scp, then pulls listen there themselves."
    )


def _died(port: int) -> PeerUnavailable:
    return PeerUnavailable(
        f"The service that receives at port {port} (airlock scp --moves) ended before all had come. Start it again; a "
        "retry asks for the rest only."
    )
