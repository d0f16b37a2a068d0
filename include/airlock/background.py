"""One call at a time that goes on in a thread of its own, while this process does the next task.

That helps where the call leaves the interpreter alone until it ends: the kernel copies the pixels of one large object
while the header of the next one is worked on. It is only done in a process that another one watches over
(:mod:`airlock.worker_here`), and ends it when it fails: whoever watches does everything again, one after the other.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # type checkers know the whole only
import os
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable

_allowed: list[bool] = []
# The call that is next; None ends the thread. There is a thread as long as there is an entry in `_threads`.
_next: list[Callable[[], object] | None] = []
_threads: list[int] = []
# Held while a call runs; released to have the thread go on, and to tell that it has gone on.
_running, _go_on, _gone_on = allocate_lock(), allocate_lock(), allocate_lock()


def allow() -> None:
    """Let calls go on in the background, until :func:`finish`."""
    _allowed[:] = [True]


def is_allowed() -> bool:
    """Whether :func:`begin` may be called."""
    return bool(_allowed)


def begin(call: Callable[[], object]) -> None:
    """Begin a call, when the one before has ended. What it does is done when :func:`finish` returns.

    :param call: it must not need anything that the caller changes or closes. When it fails, this process ends.
    """
    _running.acquire()
    if not _threads:
        for lock in (_go_on, _gone_on):
            lock.acquire(blocking=False)
        _threads.append(start_new_thread(_serve, ()))
    _tell(call)


def finish() -> None:
    """Wait for the end of the call that was begun last; from here on none may begin."""
    _allowed.clear()
    with _running:
        if _threads:
            _tell(None)
            _threads.clear()


def _tell(call: Callable[[], object] | None) -> None:
    _next.append(call)
    _go_on.release()
    # Without this, it would begin when the interpreter next takes turns, which is when the next task is half done.
    _gone_on.acquire()


def _serve() -> None:
    try:
        while True:
            _go_on.acquire()
            call = _next.pop()
            _gone_on.release()
            if call is None:
                return
            call()
            _running.release()
    except BaseException:  # noqa: BLE001 - what was begun counts as done: nothing may come of it
        os.kill(os.getpid(), _signal.SIGKILL)
