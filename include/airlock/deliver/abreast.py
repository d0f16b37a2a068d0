"""Serves the destinations of a transfer side by side, so that a slow or dead one keeps no other waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from airlock.deliver.consignment import Consignment
from airlock.dicomio.progress import Progress
from airlock.errors import Cancelled, TurnAwaited

AT_ONCE = 8
"""So many destinations are served at a time; more wait until one of these has ended."""
_PATIENCE_SECONDS = 10.0
_TURN_SECONDS = 1.0


def serve(consignments: Sequence[Consignment], do: Callable[[Consignment], None]) -> dict[str, Exception]:
    """Do something at every destination, whatever happens at the others; return what went wrong, by destination.

    When one is told that the transfer is cancelled, and when the caller is interrupted, the others stop before their
    next instance. One whose turn has not come is asked again for as long as others are served.

    :param do: called in a thread of its own for each destination, but not when there is only one.
    """
    crew = _Crew(consignments, do)
    if len(consignments) < 2:
        crew.work()
        return crew.errors
    threads = [threading.Thread(target=crew.work, name="destination", daemon=True) for _ in consignments[:AT_ONCE]]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        consignments[0].stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(_PATIENCE_SECONDS)
        raise
    return {one.destination: crew.errors[one.destination] for one in consignments if one.destination in crew.errors}


class _Crew:
    """Threads that share out the destinations of a transfer."""

    def __init__(self, consignments: Sequence[Consignment], do: Callable[[Consignment], None]) -> None:
        self.errors: dict[str, Exception] = {}
        self._todo = deque(consignments)
        self._do = do
        self._alone = len(consignments) == 1
        self._serving = 0
        self._lock = threading.Lock()

    def work(self) -> None:
        """Serve destinations until none is left."""
        while (consignment := self._next()) is not None:
            while not self._serve(consignment) and self._may_ask_again(consignment):
                pass

    def _next(self) -> Consignment | None:
        try:
            return self._todo.popleft()
        except IndexError:
            return None

    def _serve(self, consignment: Consignment) -> bool:
        """Serve one; return whether that has ended, well or not."""
        with self._lock:
            self._serving += 1
        try:
            self._do(consignment)
        except Exception as error:  # noqa: BLE001 - it is raised by the caller, in its own thread
            self.errors[consignment.destination] = error
            if isinstance(error, Cancelled):
                consignment.stop.set()
            return not isinstance(error, TurnAwaited)
        else:
            self.errors.pop(consignment.destination, None)
            return True
        finally:
            with self._lock:
                self._serving -= 1

    def _may_ask_again(self, consignment: Consignment) -> bool:
        """Wait a moment for the turn, if others are served: they hold the worker anyway."""
        if self._alone or consignment.stop.wait(_TURN_SECONDS):
            return False
        with self._lock:
            return self._serving > 0


class Sum:
    """Progress of several destinations as that of one.

    :param progress: told the sum, by one thread at a time.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, tuple[int, int]] = {}

    def of(self, destination: str) -> Progress:
        """Return what is told how far a destination is."""

        def tell(done: int, total: int | None) -> None:
            with self._lock:
                self._done[destination] = done, total or 0
                self._progress(*map(sum, zip(*self._done.values(), strict=True)))

        return tell
