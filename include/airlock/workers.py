"""Workers: processes that do one task each at a time, and whose death or silence costs one task, not the step.

A worker is a fresh interpreter, so that it does not matter what its parent had open; or a fork of a parent that says
that it has nothing open, because an interpreter takes as long to start as hundreds of small tasks. Either has a memory
limit, dies with its parent, and is killed when a task takes too long.

This pool is for many small tasks of one kind on headers (deid, verify): it pickles functions, imports no codecs, and
tries a lost task once more, alone. Pixels have :mod:`airlock.pixels.pool`, which must also run inside the rewriter's
image: tasks are JSON with fixed names, may be added while results come, take minutes as long as they show life, and
have no memory limit but the container's.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn, Protocol, TypeVar

from airlock.errors import AirlockError

A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")
MEMORY_BYTES = 4 << 30
_PR_SET_PDEATHSIG = 1
# A worker takes about as long to start as it needs for so many files.
_TASKS_WORTH_A_WORKER = 50
# Tasks that are handed out together: one at a time, the way to the worker and back takes as long as the task.
_TASKS_PER_CHUNK = 16
_CHUNKS_AHEAD = 2
_TELL_EVERY_SECONDS = 0.1
# `time.monotonic()` is the same in all processes. The number is written last: who reads in between sees a task that
# begins later than it did, not one that is overdue.
_STATE = struct.Struct("dQ")
# Reading and writing headers needs no codecs and no network; importing them is more than half of a worker's start.
_NOT_NEEDED = ("numpy", "gdcm", "PIL", "pylibjpeg", "jpeg_ls", "libjpeg", "openjpeg", "rle", "requests", "tqdm")


@dataclass(frozen=True)
class Lost:
    """A task whose worker died or did not answer, twice: the second time alone.

    :param timed_out: it took too long; else the worker died, as it does when memory runs out.
    """

    timed_out: bool


class _Process(Protocol):
    """What is asked of a process."""

    def kill(self) -> None:
        """End it."""

    def wait(self) -> int:
        """Wait for its end."""


@dataclass
class _Forked:
    """A fork of this process."""

    pid: int

    def kill(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end; before that, its number is given to no other process."""
        return os.waitpid(self.pid, 0)[1]


@dataclass
class _Worker:
    """A process, and what it was given.

    :param state: memory that both share, in which it writes when it began its latest task, and how many so far.
    :param tasks: that it has not answered, each with its seconds.
    """

    process: _Process
    connection: Connection
    state: mmap.mmap
    job: bytes = b""
    tasks: deque[tuple[Any, float]] = field(default_factory=deque)
    handed_out: float = 0.0
    answered: int = 0

    @property
    def at(self) -> int:
        """Which of its tasks it is at; -1 before the first."""
        return int(_STATE.unpack_from(self.state)[1]) - self.answered - 1

    @property
    def deadline(self) -> float:
        """When the task that it is at must have ended."""
        since, begun = _STATE.unpack_from(self.state)
        at = begun - self.answered - 1
        if not 0 <= at < len(self.tasks):
            # It is starting, or about to answer.
            at, since = 0, self.handed_out
        return float(since + self.tasks[at][1])


class Workers:
    """A pool of worker processes, used as a context manager, for one job after the other.

    :param count: number of processes at most; few tasks are given to fewer.
    :param fork: the caller has nothing open that a fork of it should not have. Without effect where it has threads.
    """

    def __init__(self, count: int, *, fork: bool = False) -> None:
        self._count, self._fork = count, fork
        self._workers: list[_Worker] = []
        self._jobs = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def run(
        self,
        make: Callable[[A], Callable[[T], R]] | str,
        argument: A,
        tasks: Sequence[T],
        timeout_seconds: Callable[[T], float] = lambda _task: 120.0,
        *,
        worth_a_worker: int = _TASKS_WORTH_A_WORKER,
    ) -> Iterator[tuple[T, R | Lost]]:
        """Do tasks; yield each with its result, in the order in which they end.

        A task whose worker is lost is tried once more when all others are done, alone.

        :param make: importable function, or its name as `module:name`, that returns the function for single tasks;
            called once in every worker. Results and exceptions of tasks must be picklable.
        :param argument: for `make`.
        :param timeout_seconds: for a task, from when it begins.
        :param worth_a_worker: so many tasks take about as long as a worker to start.
        :raises Exception: what a task raised.
        """
        # Numbered, because the same job may be given twice and must be made anew for the second time.
        self._jobs += 1
        name = make if isinstance(make, str) else f"{make.__module__}:{make.__qualname__}"
        job = pickle.dumps((name, pickle.dumps(argument), self._jobs))
        count = min(self._count, 1 + len(tasks) // worth_a_worker)
        lost: list[T] = []
        for task, result in self._round(job, deque(tasks), count, timeout_seconds):
            if isinstance(result, Lost):
                lost.append(task)
            else:
                yield task, result
        for task in lost:
            yield from self._round(job, deque([task]), 1, timeout_seconds)

    def _round(
        self, job: bytes, waiting: deque[T], count: int, timeout_seconds: Callable[[T], float]
    ) -> Iterator[tuple[T, Any]]:
        while waiting or any(worker.tasks for worker in self._workers):
            self._hand_out(job, waiting, count, timeout_seconds)
            busy = [worker for worker in self._workers if worker.tasks]
            now = time.monotonic()
            # While this process waits, a worker may come to a task with less time.
            patience = min(min(worker.deadline - now, *(least for _, least in worker.tasks)) for worker in busy)
            ready = wait([worker.connection for worker in busy], timeout=max(0.0, patience))
            for worker in busy:
                if worker.connection in ready:
                    yield from self._receive(worker, waiting)
                elif time.monotonic() >= worker.deadline:
                    yield from self._lose(worker, waiting, timed_out=True)

    def _hand_out(self, job: bytes, waiting: deque[T], count: int, timeout_seconds: Callable[[T], float]) -> None:
        # Smaller chunks at the end, so that all workers end at about the same time.
        size = min(_TASKS_PER_CHUNK, 1 + len(waiting) // (2 * count))
        while waiting:
            worker = min(self._workers, key=lambda worker: len(worker.tasks), default=None)
            if worker is None or (worker.tasks and len(self._workers) < count):
                worker = self._spawn()
                self._workers.append(worker)
            elif len(worker.tasks) > (_CHUNKS_AHEAD - 1) * size:
                return
            chunk = [waiting.popleft() for _ in range(min(size, len(waiting)))]
            worker.tasks.extend((task, timeout_seconds(task)) for task in chunk)
            worker.handed_out = time.monotonic()
            # A worker that is dead already is noticed when its answer is read.
            with suppress(OSError):
                if worker.job != job:
                    worker.connection.send(job)
                    worker.job = job
                worker.connection.send(chunk)

    def _receive(self, worker: _Worker, waiting: deque[Any]) -> list[tuple[Any, Any]]:
        try:
            answers = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._lose(worker, waiting, timed_out=False)
        done = []
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            done.append((worker.tasks.popleft()[0], answer[0]))
        worker.answered += len(done)
        worker.handed_out = time.monotonic()
        return done

    def _lose(self, worker: _Worker, waiting: deque[Any], *, timed_out: bool) -> list[tuple[Any, Lost]]:
        """Give up a worker. What it was at is lost; what it had not begun, or not told of, is done by another one."""
        self._end(worker)
        self._workers.remove(worker)
        tasks = [task for task, _ in worker.tasks]
        at = worker.at
        lost = [tasks.pop(at if 0 <= at < len(tasks) else 0)]
        waiting.extendleft(reversed(tasks))
        return [(task, Lost(timed_out)) for task in lost]

    def _spawn(self) -> _Worker:
        ours, theirs = socket.socketpair()
        shared = os.memfd_create("airlock-worker")
        os.ftruncate(shared, _STATE.size)
        with theirs:
            process = self._forked(ours, theirs, shared) if self._may_fork else self._started(theirs, shared)
        state = mmap.mmap(shared, _STATE.size)
        os.close(shared)
        return _Worker(process, Connection(ours.detach()), state)

    @property
    def _may_fork(self) -> bool:
        """Whether a fork has all that it needs: a lock that another thread holds is never released in it."""
        return self._fork and threading.active_count() == 1

    @staticmethod
    def _started(theirs: socket.socket, shared: int) -> _Process:
        arguments = [sys.executable, "-m", "airlock.workers", *map(str, (theirs.fileno(), shared, os.getpid()))]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            # What libraries print may quote values of datasets.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), shared),
            env=environment,
        )

    def _forked(self, ours: socket.socket, theirs: socket.socket, shared: int) -> _Process:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return _Forked(pid)
        # From here on in the worker, which must never come back to what its parent was at.
        try:
            ours.close()
            for worker in self._workers:
                worker.connection.close()
            silent = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(silent, stream)
            _work(theirs.detach(), shared, parent)
        finally:
            os._exit(1)

    @staticmethod
    def _end(worker: _Worker) -> None:
        worker.connection.close()
        worker.process.kill()
        worker.process.wait()


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however it ends."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def main() -> None:
    """Body of a worker process: do what comes through the inherited socket until it closes."""
    descriptor, shared, parent = map(int, sys.argv[1:4])
    _work(descriptor, shared, parent)


def _work(descriptor: int, shared: int, parent: int) -> NoReturn:
    _die_with(parent)
    # Whoever ends a whole service signals all its processes; the step decides what becomes of its workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in _NOT_NEEDED:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]
    with suppress(EOFError, OSError):
        _serve(Connection(descriptor), mmap.mmap(shared, _STATE.size))
    os._exit(0)


def _serve(connection: Connection, state: mmap.mmap) -> None:
    work: Callable[[Any], Any] | None = None
    job = b""
    count = 0
    while True:
        received = connection.recv()
        if isinstance(received, bytes):
            job, work = received, None
            continue
        answers: list[object] = []
        told = time.monotonic()
        for task in received:
            count += 1
            _STATE.pack_into(state, 0, time.monotonic(), count)
            try:
                work = work or _make(job)
                answers.append((work(task),))
            except Exception as error:  # noqa: BLE001 - raised again in the parent
                answers.append(_told(error))
            if time.monotonic() - told > _TELL_EVERY_SECONDS:
                connection.send(answers)
                answers, told = [], time.monotonic()
        if answers:
            connection.send(answers)


def _told(error: Exception) -> Exception:
    """Return what the parent is told of an error: its text only where it is known to be free of values."""
    if isinstance(error, AirlockError):
        return type(error)(str(error))
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror)
    return MemoryError() if isinstance(error, MemoryError) else RuntimeError(f"{type(error).__name__} in a worker")


def _make(job: bytes) -> Callable[[Any], Any]:
    place, argument, _ = pickle.loads(job)  # noqa: S301 - from our own parent
    module, name = place.split(":")
    made: Callable[[Any], Any] = getattr(importlib.import_module(module), name)(pickle.loads(argument))  # noqa: S301
    return made


if __name__ == "__main__":
    main()
