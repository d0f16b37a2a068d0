"""Workers: processes that do one task each at a time, and whose death or silence costs one task, not the step.

A worker is a fresh interpreter, so that it does not matter what its parent had open. It has a memory limit, dies with
its parent, and is killed when a task takes too long.

This pool is for many small tasks of one kind on headers (deid, verify): it pickles functions, imports no codecs, and
tries a lost task once more, alone. Pixels have :mod:`airlock.pixels.pool`, which must also run inside the rewriter's
image: tasks are JSON with fixed names, may be added while results come, take minutes as long as they show life, and
have no memory limit but the container's.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from airlock.errors import AirlockError

A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")
MEMORY_BYTES = 4 << 30
_PR_SET_PDEATHSIG = 1
# A worker takes about as long to start as it needs for so many files.
_TASKS_WORTH_A_WORKER = 50
# Reading and writing headers needs no codecs and no network; importing them is more than half of a worker's start.
_NOT_NEEDED = ("numpy", "gdcm", "PIL", "pylibjpeg", "jpeg_ls", "libjpeg", "openjpeg", "rle", "requests")


@dataclass(frozen=True)
class Lost:
    """A task whose worker died or did not answer, twice: the second time alone.

    :param timed_out: it took too long; else the worker died, as it does when memory runs out.
    """

    timed_out: bool


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    job: bytes = b""
    task: Any = None
    deadline: float = 0.0


class Workers:
    """A pool of worker processes, used as a context manager, for one job after the other.

    :param count: number of processes at most; few tasks are given to fewer.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def run(
        self,
        make: Callable[[A], Callable[[T], R]],
        argument: A,
        tasks: Sequence[T],
        timeout_seconds: Callable[[T], float] = lambda _task: 120.0,
    ) -> Iterator[tuple[T, R | Lost]]:
        """Do tasks; yield each with its result, in the order in which they end.

        A task whose worker is lost is tried once more when all others are done, alone.

        :param make: importable function that returns the function for single tasks; called once in every worker.
            Results and exceptions of tasks must be picklable.
        :param argument: for `make`.
        :param timeout_seconds: for a task, from when it is handed out.
        :raises Exception: what a task raised.
        """
        job = pickle.dumps((make.__module__, make.__qualname__, pickle.dumps(argument)))
        count = min(self._count, 1 + len(tasks) // _TASKS_WORTH_A_WORKER)
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
        while waiting or any(worker.task is not None for worker in self._workers):
            self._hand_out(job, waiting, count, timeout_seconds)
            busy = [worker for worker in self._workers if worker.task is not None]
            patience = min(worker.deadline for worker in busy) - time.monotonic()
            ready = wait([worker.connection for worker in busy], timeout=max(0.0, patience))
            for worker in busy:
                if worker.connection in ready:
                    yield self._receive(worker)
                elif time.monotonic() >= worker.deadline:
                    yield self._lose(worker, timed_out=True)

    def _hand_out(self, job: bytes, waiting: deque[T], count: int, timeout_seconds: Callable[[T], float]) -> None:
        while waiting:
            worker = next((worker for worker in self._workers if worker.task is None), None)
            if worker is None:
                if len(self._workers) >= count:
                    return
                worker = self._spawn()
                self._workers.append(worker)
            task = waiting.popleft()
            worker.task, worker.deadline = task, time.monotonic() + timeout_seconds(task)
            # A worker that is dead already is noticed when its answer is read.
            with suppress(OSError):
                if worker.job != job:
                    worker.connection.send(job)
                    worker.job = job
                worker.connection.send(task)

    def _receive(self, worker: _Worker) -> tuple[Any, Any]:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._lose(worker, timed_out=False)
        task, worker.task = worker.task, None
        if isinstance(answer, Exception):
            raise answer
        return task, answer[0]

    def _lose(self, worker: _Worker, *, timed_out: bool) -> tuple[Any, Lost]:
        self._end(worker)
        self._workers.remove(worker)
        return worker.task, Lost(timed_out)

    def _spawn(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [sys.executable, "-m", "airlock.workers", str(theirs.fileno()), str(os.getpid())]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                # What libraries print may quote values of datasets.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment,
            )
        return _Worker(process, Connection(ours.detach()))

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
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for module in _NOT_NEEDED:
        sys.modules[module] = None  # type: ignore[assignment]
    with suppress(EOFError, OSError):
        _serve(Connection(descriptor))


def _serve(connection: Connection) -> None:
    work: Callable[[Any], Any] | None = None
    job = b""
    while True:
        received = connection.recv()
        if isinstance(received, bytes):
            job, work = received, None
            continue
        try:
            work = work or _make(job)
            answer: object = (work(received),)
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            answer = _told(error)
        connection.send(answer)


def _told(error: Exception) -> Exception:
    """Return what the parent is told of an error: its text only where it is known to be free of values."""
    if isinstance(error, AirlockError):
        return type(error)(str(error))
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror)
    return MemoryError() if isinstance(error, MemoryError) else RuntimeError(f"{type(error).__name__} in a worker")


def _make(job: bytes) -> Callable[[Any], Any]:
    module, name, argument = pickle.loads(job)  # noqa: S301 - from our own parent
    made: Callable[[Any], Any] = getattr(importlib.import_module(module), name)(pickle.loads(argument))  # noqa: S301
    return made


if __name__ == "__main__":
    main()
