"""How a pool starts a worker process, and what it knows of it."""

from __future__ import annotations

# As in `airlock.worker`.
import _signal as signal  # type: ignore[import-not-found]  # type checkers know the whole only
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from airlock.typed import TYPE_CHECKING, Any, Protocol
from airlock.worker import STATE, Channel, Work, encode, work

if TYPE_CHECKING:
    import mmap

_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032
# Two large chunks of tasks: the pool never waits for a worker that is itself waiting to be heard.
_PIPE_BYTES = 1 << 18
_PAGE_BYTES = 1 << 12
_STREAMS = 3


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

    `job` is the number of the job it does; `tasks` are those that it has not answered.

    :param state: memory that both share, see :data:`airlock.worker.STATE`.
    :param room: bytes that may be on their way to it without anybody waiting.
    """

    def __init__(self, process: Process, channel: Channel, state: mmap.mmap, room: int) -> None:
        self.process, self.channel, self.state, self._room = process, channel, state, room
        self.job = 0
        self.tasks: deque[Any] = deque()
        self._messages: deque[tuple[int, int]] = deque()
        self._allowed: Callable[[Any], float] = lambda _task: 0.0
        self._least = 0.0
        self._handed_out = 0.0
        self._answered = self._given = 0

    def begin(self, number: int, job: bytes, allowed: Callable[[Any], float]) -> None:
        """Tell it what is to be done with the tasks that follow.

        :param job: as :mod:`airlock.worker` reads it; empty when a fork knows it.
        :param allowed: says how many seconds a task may take.
        """
        self.job, self._allowed = number, allowed
        # A worker that is dead already is noticed when its answer is read.
        with suppress(OSError):
            if job:
                self.channel.send(encode(job))

    def give(self, tasks: list[Any], least: float) -> bool:
        """Give it more to do, if its pipe has room: who waits for a worker to read does not hear what it says.

        :param least: seconds that every one of the tasks may take.
        :return: whether there was room; for a single task there is, when nothing else is on its way.
        """
        data = encode(tasks)
        on_the_way = sum(size for _, size in self._messages)
        if (on_the_way or len(tasks) > 1) and on_the_way + len(data) + _PAGE_BYTES > self._room:
            return False
        self._least = min(least, self._least) if self.tasks else least
        self.tasks.extend(tasks)
        self._given += len(tasks)
        # A message that does not fill its last page may keep it for itself.
        self._messages.append((self._given, len(data) + _PAGE_BYTES))
        self._handed_out = time.monotonic()
        with suppress(OSError):
            self.channel.send(data)
        return True

    def answer(self, number: int) -> list[Any]:
        """Return the tasks that it has answered with so many answers, and forget them."""
        done = [self.tasks.popleft() for _ in range(number)]
        self._answered += number
        while self._messages and self._messages[0][0] <= self._answered:
            self._messages.popleft()
        self._handed_out = time.monotonic()
        return done

    @property
    def at(self) -> int:
        """Which of its tasks it is at; -1 before the first."""
        return int(STATE.unpack_from(self.state)[1]) - self._answered - 1

    def is_late(self, now: float) -> bool:
        """Whether the task that it is at must have ended."""
        task, since = self._current()
        return now >= since + self._least and now >= since + self._allowed(task)

    def patience(self, now: float) -> float:
        """Return for how many seconds nothing it is at, or may come to meanwhile, can be late."""
        task, since = self._current()
        left = since + self._least - now
        return min(left if left > 0 else since + self._allowed(task) - now, self._least)

    def _current(self) -> tuple[Any, float]:
        """Return the task that it is at, and when it began it."""
        since, begun = STATE.unpack_from(self.state)
        at = begun - self._answered - 1
        if not 0 <= at < len(self.tasks):
            # It is starting, or about to answer.
            at, since = 0, self._handed_out
        return self.tasks[at], since

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.channel.close()
        self.process.kill()
        self.process.wait()


def can_fork() -> bool:
    """Whether this process has no other thread: a lock that one holds is never released in a fork."""
    return len(sys._current_frames()) == 1  # noqa: SLF001 - counts threads without importing what makes them


def spawn(do: Work | None, *, fork: bool) -> Worker:
    """Start a worker.

    :param do: what a fork does with its first tasks.
    :param fork: as a fork of this process; else as a fresh interpreter.
    """
    # Before the fork, which needs it too.
    import mmap  # noqa: PLC0415 - whoever does the work itself has no workers

    reading, their_writing = os.pipe()
    their_reading, writing = os.pipe()
    room = _widen(writing)
    shared = os.memfd_create("airlock-worker")
    os.ftruncate(shared, STATE.size)
    theirs = their_reading, their_writing, shared
    process = _forked(do, theirs) if fork else _started(theirs)
    os.close(their_reading)
    os.close(their_writing)
    state = mmap.mmap(shared, STATE.size)
    os.close(shared)
    return Worker(process, Channel(reading, writing), state, room)


def _widen(pipe: int) -> int:
    """Return how many bytes a pipe takes without a reader, after it was made as wide as is allowed."""
    import fcntl  # noqa: PLC0415 - beside its only use

    with suppress(OSError):
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
    with suppress(OSError):
        return fcntl.fcntl(pipe, _F_GETPIPE_SZ)
    return _PAGE_BYTES


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


def silence(kept: Iterable[int]) -> None:
    """Let every descriptor of a fresh fork lead nowhere, but those that it was made with.

    They are not closed: what the parent logs to knows the number of its descriptor, and a file that is written here
    would come to have it.
    """
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - `pathlib` is not imported for that
        if descriptor not in kept and descriptor != silent:
            os.dup2(silent, descriptor, inheritable=descriptor < _STREAMS)


def _forked(do: Work | None, theirs: tuple[int, int, int]) -> Process:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return Forked(pid)
    # From here on in the worker, which must never come back to what its parent was at.
    try:
        silence(theirs)
        work(Channel(theirs[0], theirs[1]), theirs[2], parent, do)
    finally:
        os._exit(1)
