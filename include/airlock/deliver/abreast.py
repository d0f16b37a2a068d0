"""Serves the destinations of a transfer side by side, so that a slow or dead one keeps no other waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from airlock.deliver.consignment import Consignment
from airlock.dicomio.progress import Progress
from airlock.errors import Cancelled

AT_ONCE = 8
"""So many destinations are served at a time; more wait until one of these has ended."""
_PATIENCE_SECONDS = 10.0


def serve(consignments: Sequence[Consignment], do: Callable[[Consignment], None]) -> dict[str, Exception]:
    """Do something at every destination, whatever happens at the others; return what went wrong, by destination.

    When one is told that the transfer is cancelled, and when the caller is interrupted, the others stop before their
    next instance.

    :param do: called in a thread of its own for each destination, but not when there is only one.
    """
    errors: dict[str, Exception] = {}
    todo = deque(consignments)
    if len(consignments) < 2:
        _work(todo, do, errors)
        return errors
    threads = [
        threading.Thread(target=_work, args=(todo, do, errors), name="destination", daemon=True)
        for _ in consignments[:AT_ONCE]
    ]
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
    return {one.destination: errors[one.destination] for one in consignments if one.destination in errors}


def _work(todo: deque[Consignment], do: Callable[[Consignment], None], errors: dict[str, Exception]) -> None:
    while True:
        try:
            consignment = todo.popleft()
        except IndexError:
            return
        try:
            do(consignment)
        except Exception as error:  # noqa: BLE001 - it is raised by the caller, in its own thread
            errors[consignment.destination] = error
            if isinstance(error, Cancelled):
                consignment.stop.set()


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
