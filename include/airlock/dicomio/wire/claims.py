"""Claims: the pulls that wait for something, each over a connection of its own, and what they say to an offer."""

from __future__ import annotations

import itertools
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from airlock.dicomio.wire.claim import Claim, NotUnderstood, Offer, address, line, said_in
from airlock.dicomio.wire.claimant import Answer, Claimant
from airlock.dicomio.wire.sink import OUT_OF_RESOURCES, SUCCESS, Incoming
from airlock.errors import PeerUnavailable

_BACKLOG = 512
_READ_BYTES = 1 << 14
_LOOK_SECONDS = 0.5
_ISSUED = 4096
_SIGN = line({"coming": True})


class Claims:
    """The service's end of the socket. It works from when it is made.

    :param path: of the socket; a file that a killed service left is replaced.
    :param refusal: says why a claim cannot be served; None when it can.
    :param sync: what claimants are told: whether names are to be on the disk too.
    :param most: claims at a time; who comes then is sent away.
    :param claim_seconds: how long one may take to say what it claims.
    :param answer_seconds: how long one may take to answer an offer.
    :raises PeerUnavailable: when the socket cannot be made.
    """

    def __init__(
        self,
        path: Path,
        refusal: Callable[[Claim], str | None],
        *,
        sync: bool = False,
        most: int = 1000,
        claim_seconds: float = 5.0,
        answer_seconds: float = 20.0,
    ) -> None:
        self._path, self._refusal, self._sync, self._most = path, refusal, sync, most
        self._claim_seconds, self._answer_seconds = claim_seconds, answer_seconds
        self._lock = threading.Lock()
        self._claimants: dict[socket.socket, Claimant] = {}
        self._next_message = 1 + secrets.randbelow(0xFFFF)  # those of an earlier service are still in use at its PACSs
        # Whom a request was for, also after its pull has ended; the oldest are forgotten.
        self._issued: dict[int, Claim] = {}
        self._offers = itertools.count(1)
        self._stopping = False
        self._listener = _listen(path)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="claims", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Return how many claims there are."""
        return sum(claimant.claim is not None for claimant in self._all())

    def close(self) -> None:
        """End all claims. The socket's file stays: it tells pulls that a service is to be waited for."""
        if self._stopping:
            return
        self._stopping = True
        self._wake.send(b"x")
        self._thread.join()
        for claimant in self._all():
            self._drop(claimant)
        self._wake.close()
        self._woken.close()

    def asking_for(self, study_uid: str, instance: Incoming) -> list[Claimant]:
        """Return who asked for an instance of a study.

        The Move Originator (PS3.7 section 9.3.1.1) tells two pulls of one study apart, where the PACS gives it.
        """
        title, number = instance.originator
        found = [one for one in self._all() if one.asks_for(study_uid, instance.caller)]
        exact = [one for one in found if one.message_id == number and title in one.titles]
        if exact or number is None:
            return exact or found
        # Its pull has ended, and another one may ask for the same study now: at the same PACS, or at another.
        ended = self._issued.get(number)
        if ended is None or title not in (ended.asked_as, ended.asked):
            return found
        return [one for one in found if one.source == ended.source]

    def awaiting_reports(self) -> list[Claimant]:
        """Return who waits for a report of storage commitment."""
        return [one for one in self._all() if one.claim is not None and one.claim.reports]

    def offer(self, claimants: Sequence[Claimant], file: str, offset: int, instance: Incoming) -> list[int]:
        """Offer a file; return what those said who are there still: out of resources, when one doesn't say in time.

        :param file: where it is, below the folder of what is coming. It must be there until this returns.
        """
        deadline = time.monotonic() + self._answer_seconds
        number = next(self._offers)
        uids = instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid
        said = Offer(number, file, offset, *uids).line()
        asked: list[tuple[Claimant, Answer]] = [(one, one.offer(number, said, deadline)) for one in claimants]
        statuses = [one.status_of(answer, number, deadline) for one, answer in asked]
        return [status for status in statuses if status is not None]

    def sign_of_life(self, claimants: Sequence[Claimant]) -> None:
        """Tell that something is under way."""
        for claimant in claimants:
            claimant.say(_SIGN, time.monotonic() + 1.0)

    def _all(self) -> list[Claimant]:
        with self._lock:
            return list(self._claimants.values())

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener as listener:
            self._selector = selector
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping:
                waiting = self._drop_overdue()
                for key, _ in selector.select(_LOOK_SECONDS if waiting else None):
                    if key.fileobj is listener:
                        self._accept(listener)
                    elif key.data is not None:
                        self._hear(key.data)

    def _accept(self, listener: socket.socket) -> None:
        try:
            plain, _ = listener.accept()
        except OSError:
            time.sleep(0.01)  # no descriptors left: they don't come back at once
            return
        plain.setblocking(False)
        with self._lock:
            full = len(self._claimants) >= self._most
            if not full:
                self._claimants[plain] = Claimant(plain)
        if full:
            with suppress(OSError):
                plain.send(line({"busy": True}))
            plain.close()
            return
        self._selector.register(plain, selectors.EVENT_READ, self._claimants[plain])

    def _hear(self, claimant: Claimant) -> None:
        try:
            data = claimant.socket.recv(_READ_BYTES)
            if not data:
                self._drop(claimant)
                return
            for text in claimant.lines.add(data):
                if claimant.claim is None:
                    self._take(claimant, Claim.of(said_in(text)))
                else:
                    claimant.answered(said_in(text))
        except BlockingIOError:
            pass
        except (OSError, NotUnderstood):
            self._drop(claimant)

    def _take(self, claimant: Claimant, claim: Claim) -> None:
        deadline = time.monotonic() + 1.0
        refusal = self._refusal(claim)
        if refusal is not None:
            claimant.say(line({"refused": refusal}), deadline)
            raise NotUnderstood("a claim that cannot be served")
        number = self._message_id(claim)
        claimant.welcome(claim, number, line({"welcome": number, "sync": self._sync}), deadline)

    def _message_id(self, claim: Claim) -> int:
        taken = {one.message_id for one in self._all()}
        while self._next_message in taken:
            self._next_message = self._next_message % 0xFFFF + 1
        number = self._next_message
        self._next_message = number % 0xFFFF + 1
        with self._lock:
            self._issued.pop(number, None)
            self._issued[number] = claim
            while len(self._issued) > _ISSUED:
                del self._issued[next(iter(self._issued))]
        return number

    def _drop_overdue(self) -> bool:
        """Send away who claims nothing in time; return whether others may have to be."""
        waiting = [one for one in self._all() if one.claim is None]
        for claimant in waiting:
            if time.monotonic() - claimant.since > self._claim_seconds:
                self._drop(claimant)
        return bool(waiting)

    def _drop(self, claimant: Claimant) -> None:
        with suppress(KeyError, ValueError, OSError, RuntimeError):
            self._selector.unregister(claimant.socket)
        with self._lock:
            self._claimants.pop(claimant.socket, None)
        claimant.leave()


def joined(statuses: Sequence[int]) -> int:
    """Return the status of an instance that several were offered: success when all have it."""
    failed = (status for status in statuses if status != SUCCESS)
    return next(failed, SUCCESS) if statuses else OUT_OF_RESOURCES


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.chmod(0o700)
        path.unlink(missing_ok=True)
        with address(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise PeerUnavailable(
            f"Airlock cannot make the socket that pulls speak to ({error.strerror}). Give its user the right to write "
            "below AIRLOCK_HOME/scp."
        ) from None
    return listener
