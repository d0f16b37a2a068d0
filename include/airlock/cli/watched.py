"""A command that does its work itself, in a process that another one watches over.

Of a process that does what came from outside, nobody knows whether it will end well: a file may take all the memory
there is, or forever. A pool of workers outlives that, and takes as long as a hundred images. So the command is forked
before it has imported anything, and the fork does everything. When it ends by itself, that was it. When something ends
it, the process that waited does everything once more, with a pool.
"""

from __future__ import annotations

# The C half of `signal`, whose other half makes enumerations of all that is in it.
import _signal  # type: ignore[import-not-found]  # type checkers know the whole only
import gc
import os
import sys

_children: list[int] = []


def go_on_watched() -> int | None:
    """Fork. In the fork, :func:`is_watched` is true from here on; whoever waits comes back when it has ended.

    :return: in the fork None. In the process that waited, the exit status of the fork; None when it did not end by
        itself, and everything must be done again.
    :raises SystemExit: when it was asked to end, as we were, or we are.
    """
    if len(sys._current_frames()) > 1:  # noqa: SLF001 - counts threads without importing what makes them
        return None
    # Whoever started us may have asked for no word of processes that end.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    parent = os.getpid()
    child = os.fork()
    if not child:
        _children.append(parent)
        gc.disable()
        from airlock.worker import die_with  # noqa: PLC0415 - whoever waits does without

        die_with(parent)
        return None
    try:
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:
        # Whoever is at the keyboard tells both.
        _, status = os.waitpid(child, 0)
        raise SystemExit(128 + _signal.SIGINT) from None
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    if os.WTERMSIG(status) in (_signal.SIGINT, _signal.SIGTERM):
        raise SystemExit(128 + os.WTERMSIG(status))
    return None


def is_watched() -> bool:
    """Whether another process does all of it again if this one ends before."""
    return bool(_children)
