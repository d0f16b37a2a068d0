"""Claimant: a pull at the other end of the socket, as the service knows it."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airlock.dicomio.wire.claim import Claim, Lines, NotUnderstood
from airlock.dicomio.wire.sink import OUT_OF_RESOURCES, Caller

_MOST_STATUS = 0xFFFF


class Answer:
    """What is said to an offer, once it is."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.status: int | None = None


class Claimant:
    """A connection, and what is claimed over it.

    :param plain: connected, not blocking; closed by :meth:`leave`.
    """

    def __init__(self, plain: socket.socket) -> None:
        self.socket = plain
        self.lines = Lines()
        self.since = time.monotonic()
        self.claim: Claim | None = None
        self.message_id = 0
        self._writing = threading.Lock()
        self._lock = threading.Lock()
        self._open: dict[int, Answer] = {}
        self._gone = False

    @property
    def source(self) -> str:
        """Whom it asked."""
        return self.claim.source if self.claim else ""

    @property
    def titles(self) -> frozenset[str]:
        """What its PACS may give as the Move Originator: who asked, or, against the standard, the PACS itself."""
        return frozenset((self.claim.asked_as, self.claim.asked)) if self.claim else frozenset()

    def asks_for(self, study_uid: str, caller: Caller) -> bool:
        """Whether it asked for a study, and takes it from whoever brings it."""
        claim = self.claim
        return claim is not None and study_uid in claim.studies and claim.caller in (None, caller.calling)

    def say(self, data: bytes, deadline: float) -> None:
        """Send a line. When it is not taken in time, the connection ends."""
        with self._writing:
            self._say(data, deadline)

    def welcome(self, claim: Claim, message_id: int, said: bytes, deadline: float) -> None:
        """Take its claim; the welcome comes before any offer."""
        with self._writing:
            self.message_id, self.claim = message_id, claim
            self._say(said, deadline)

    def offer(self, number: int, said: bytes, deadline: float) -> Answer:
        """Send an offer; what is returned is answered later, or when the connection ends."""
        answer = Answer()
        with self._lock:
            if self._gone:
                answer.came.set()
                return answer
            self._open[number] = answer
        self.say(said, deadline)
        return answer

    def status_of(self, answer: Answer, number: int, deadline: float) -> int | None:
        """Wait for the answer to an offer; return the status, None when nobody is there any more."""
        if answer.came.wait(max(0.0, deadline - time.monotonic())):
            return answer.status
        with self._lock:
            self._open.pop(number, None)
        return OUT_OF_RESOURCES

    def answered(self, said: Mapping[str, Any]) -> None:
        """Take an answer; one that comes too late means nothing.

        :raises NotUnderstood: when it is none.
        """
        number, status = said.get("offer"), said.get("status")
        if type(number) is not int or type(status) is not int or not 0 <= status <= _MOST_STATUS:
            raise NotUnderstood("an answer is not valid")
        with self._lock:
            answer = self._open.pop(number, None)
        if answer is not None:
            answer.status = status
            answer.came.set()

    def leave(self) -> None:
        """End it: who waits for an answer gets none."""
        with self._lock:
            self._gone = True
            left = list(self._open.values())
            self._open.clear()
        for answer in left:
            answer.came.set()
        # Ends the waiting of who writes just now.
        self._shut()
        with self._writing:
            self.socket.close()

    def _say(self, data: bytes, deadline: float) -> None:
        try:
            while data:
                data = data[self._send(data, deadline) :]
        except (OSError, ValueError):
            self._shut()

    def _send(self, data: bytes, deadline: float) -> int:
        """Send as much as goes.

        :raises OSError: when nothing does in time, or at all.
        """
        while True:
            with suppress(BlockingIOError):
                return self.socket.send(data)
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([], [self.socket], [], left)[1]:
                raise TimeoutError

    def _shut(self) -> None:
        # The thread that reads finds it closed, and ends it.
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
