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
_running = allocate_lock()


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
    begun = allocate_lock()
    begun.acquire()
    _running.acquire()
    try:
        start_new_thread(_do, (call, begun.release))
    except BaseException:
        _running.release()
        raise
    # Without this, it would begin when the interpreter next takes turns, which is when the next task is half done.
    begun.acquire()


def finish() -> None:
    """Wait for the end of the call that was begun last; from here on none may begin."""
    _allowed.clear()
    with _running:
        pass


def _do(call: Callable[[], object], tell: Callable[[], None]) -> None:
    try:
        tell()
        call()
    except BaseException:  # noqa: BLE001 - what was begun was told to be done: nothing may come of it
        os.kill(os.getpid(), _signal.SIGKILL)
    _running.release()
