"""Crew: several associations that share a batch of files, a thread for each."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from airlock.dicomio.outgoing import Outcome, Outgoing, contexts_for
from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.exchange import Before, send_file
from airlock.dicomio.wire.requestor import Pace, Requestor, request
from airlock.dicomio.wire.sender import Sender
from airlock.errors import AirlockError, UnexpectedFailure


class Crew:
    """Sends a batch over several associations.

    Answers reach the caller through a queue; `before` is called from one thread at a time.
    """

    def __init__(self, peer: Peer, batch: Sequence[Outgoing], before: Before, pace: Pace | None = None) -> None:
        self._peer = peer
        self._pace = pace
        self._proposals = contexts_for(batch)
        self._todo = deque(batch)
        self._before = before
        self._turn = threading.Lock()
        self._said: queue.SimpleQueue[Outcome | AirlockError | None] = queue.SimpleQueue()
        self._working: dict[threading.Thread, Requestor] = {}
        self._stop = threading.Event()

    def work(self) -> Iterator[Outcome]:
        """Yield outcomes; raise the first error when every association has ended."""
        helpers = min(self._peer.associations, len(self._todo)) - 1
        self._start(self._send, request(self._peer, self._proposals))
        for _ in range(helpers):
            self._start(self._help)
        failure: AirlockError | None = None
        try:
            while self._busy():
                said = self._said.get()
                if isinstance(said, Outcome):
                    yield said
                elif said is not None:
                    failure = failure or said
        finally:
            self._stop.set()
            with self._turn:
                left = dict(self._working)
            for thread, established in left.items():
                # The caller wants no more: don't wait for answers.
                established.shut()
                thread.join()
        while not self._said.empty():
            if isinstance(said := self._said.get(), Outcome):
                yield said
            elif said is not None:
                failure = failure or said
        if failure is not None:
            raise failure

    def _busy(self) -> bool:
        with self._turn:
            return bool(self._working)

    def _start(self, do: Callable[..., None], *established: Requestor) -> None:
        thread = threading.Thread(target=do, args=established, name="sending", daemon=True)
        if established:
            self._working[thread] = established[0]
        thread.start()

    def _help(self) -> None:
        """Send over one more association, if the peer takes one more while there is something to do."""
        try:
            established = request(self._peer, self._proposals)
        except Exception:  # noqa: BLE001 - the first association goes on, and tells what is wrong if it cannot
            return
        with self._turn:
            wanted = bool(self._todo) and not self._stop.is_set()
            if wanted:
                self._working[threading.current_thread()] = established
        if wanted:
            self._send(established)
        else:
            established.release()

    def _send(self, established: Requestor) -> None:
        try:
            established.pace = self._pace
            sender = Sender(established)
            while (file := self._next()) is not None:
                self._said.put(send_file(established, sender, file))
            established.release()
        except BaseException as error:  # noqa: BLE001 - whatever it is must reach the caller's thread
            self._stop.set()
            established.abort()
            self._said.put(error if isinstance(error, AirlockError) else _unforeseen(error))
        finally:
            with self._turn:
                self._working.pop(threading.current_thread(), None)
            self._said.put(None)

    def _next(self) -> Outgoing | None:
        with self._turn:
            if self._stop.is_set() or not self._todo:
                return None
            file = self._todo.popleft()
            self._before(file.id)
            return file


def _unforeseen(error: BaseException) -> AirlockError:
    # The text of a library's error may quote a value.
    return UnexpectedFailure(f"Sending failed with an unexpected {type(error).__name__}. Clear the task to try again.")
