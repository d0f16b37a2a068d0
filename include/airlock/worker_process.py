"""How a pool starts a worker process, and what it knows of it."""

from __future__ import annotations

import mmap
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

from airlock.worker import STATE, Channel, work

_F_SETPIPE_SZ = 1031
# Two chunks of tasks with the longest paths: the pool never waits for a worker that is itself waiting to be heard.
_PIPE_BYTES = 1 << 18


class Process(Protocol):
    """What is asked of a process."""

    def kill(self) -> None:
        """End it."""

    def wait(self) -> int:
        """Wait for its end."""


class Forked:
    """A fork of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end; before that, its number is given to no other process."""
        return os.waitpid(self.pid, 0)[1]


class Worker:
    """A process, and what it was given.

    `tasks` are those that it has not answered, each with its seconds; `handed_out` is when it got or answered some.

    :param state: memory that both share, see :data:`airlock.worker.STATE`.
    """

    def __init__(self, process: Process, channel: Channel, state: mmap.mmap) -> None:
        self.process, self.channel, self.state = process, channel, state
        self.job = b""
        self.tasks: deque[tuple[Any, float]] = deque()
        self.handed_out = 0.0
        self.answered = 0

    @property
    def at(self) -> int:
        """Which of its tasks it is at; -1 before the first."""
        return int(STATE.unpack_from(self.state)[1]) - self.answered - 1

    @property
    def deadline(self) -> float:
        """When the task that it is at must have ended."""
        since, begun = STATE.unpack_from(self.state)
        at = begun - self.answered - 1
        if not 0 <= at < len(self.tasks):
            # It is starting, or about to answer.
            at, since = 0, self.handed_out
        return float(since + self.tasks[at][1])

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.channel.close()
        self.process.kill()
        self.process.wait()


def spawn(*, fork: bool, others: Iterable[Worker]) -> Worker:
    """Start a worker.

    :param fork: as a fork of this process, where it has no threads; else as a fresh interpreter.
    :param others: workers whose pipes a fork must not keep open.
    """
    reading, their_writing = os.pipe()
    their_reading, writing = os.pipe()
    _widen(writing)
    shared = os.memfd_create("airlock-worker")
    os.ftruncate(shared, STATE.size)
    theirs = their_reading, their_writing, shared
    # A lock that another thread holds is never released in a fork.
    alone = len(sys._current_frames()) == 1  # noqa: SLF001 - counts threads without importing what makes them
    process = _forked(theirs, (reading, writing), others) if fork and alone else _started(theirs)
    os.close(their_reading)
    os.close(their_writing)
    state = mmap.mmap(shared, STATE.size)
    os.close(shared)
    return Worker(process, Channel(reading, writing), state)


def _widen(pipe: int) -> None:
    import fcntl  # noqa: PLC0415 - beside its only use

    with suppress(OSError):
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)


def _started(theirs: tuple[int, int, int]) -> Process:
    import subprocess  # noqa: PLC0415 - a fork does without

    arguments = [sys.executable, "-m", "airlock.worker", *map(str, (*theirs, os.getpid()))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        # What libraries print may quote values of datasets.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=theirs,
        env=environment,
    )


def _forked(theirs: tuple[int, int, int], ours: tuple[int, int], others: Iterable[Worker]) -> Process:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return Forked(pid)
    # From here on in the worker, which must never come back to what its parent was at.
    try:
        for descriptor in ours:
            os.close(descriptor)
        for worker in others:
            worker.channel.close()
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silent, stream)
        work(Channel(theirs[0], theirs[1]), theirs[2], parent)
    finally:
        os._exit(1)
