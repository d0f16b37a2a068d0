"""Workers: processes that do one task each at a time, and whose death or silence costs one task, not the step.

A worker is a fresh interpreter, so that it does not matter what its parent had open. It has a memory limit, dies with
its parent, and is killed when a task takes too long.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MEMORY_BYTES = 4 << 30
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Lost:
    """A task whose worker died or did not answer, twice: the second time alone.

    :param timed_out: it took too long; else the worker died, as it does when memory runs out.
    """

    timed_out: bool


@dataclass
class _Worker(Generic[T]):
    process: subprocess.Popen[bytes]
    connection: Connection
    task: T | None = None
    deadline: float = 0.0


class Workers(Generic[T, R]):
    """A pool of worker processes, used as a context manager.

    :param make: importable function `make(argument)` that returns the function for single tasks; called once in every
        worker. Results and exceptions of tasks must be picklable.
    :param argument: for `make`.
    :param count: number of processes.
    :param timeout_seconds: for a task, from when it is handed out.
    """

    def __init__(
        self,
        make: Callable[[Any], Callable[[T], R]],
        argument: Any,
        count: int,
        timeout_seconds: Callable[[T], float] = lambda _task: 120.0,
    ) -> None:
        self._start = pickle.dumps((make.__module__, make.__qualname__, pickle.dumps(argument)))
        self._count = count
        self._timeout = timeout_seconds
        self._workers: list[_Worker[T]] = []

    def __enter__(self) -> Workers[T, R]:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def run(self, tasks: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """Do the tasks; yield each with its result, in the order in which they end.

        A task whose worker is lost is tried once more when all others are done, alone.

        :raises Exception: what a task raised.
        """
        lost: list[T] = []
        for task, result in self._round(deque(tasks), self._count):
            if isinstance(result, Lost):
                lost.append(task)
            else:
                yield task, result
        for task in lost:
            yield from self._round(deque([task]), 1)

    def _round(self, waiting: deque[T], count: int) -> Iterator[tuple[T, R | Lost]]:
        while waiting or any(worker.task is not None for worker in self._workers):
            self._hand_out(waiting, count)
            busy = [worker for worker in self._workers if worker.task is not None]
            patience = min(worker.deadline for worker in busy) - time.monotonic()
            ready = wait([worker.connection for worker in busy], timeout=max(0.0, patience))
            for worker in busy:
                if worker.connection in ready:
                    yield self._receive(worker)
                elif time.monotonic() >= worker.deadline:
                    yield self._lose(worker, timed_out=True)

    def _hand_out(self, waiting: deque[T], count: int) -> None:
        for index in range(min(count, len(waiting) + len(self._workers))):
            if not waiting:
                return
            if index >= len(self._workers):
                self._workers.append(self._spawn())
            worker = self._workers[index]
            if worker.task is None:
                worker.task = waiting.popleft()
                worker.deadline = time.monotonic() + self._timeout(worker.task)
                # A worker that is dead already is noticed when its answer is read.
                with suppress(OSError):
                    worker.connection.send(worker.task)

    def _receive(self, worker: _Worker[T]) -> tuple[T, R | Lost]:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._lose(worker, timed_out=False)
        task, worker.task = worker.task, None
        assert task is not None
        if isinstance(answer, Exception):
            raise answer
        return task, answer[0]

    def _lose(self, worker: _Worker[T], *, timed_out: bool) -> tuple[T, R | Lost]:
        task = worker.task
        assert task is not None
        self._end(worker)
        self._workers.remove(worker)
        return task, Lost(timed_out)

    def _spawn(self) -> _Worker[T]:
        ours, theirs = socket.socketpair()
        with theirs:
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "OPENBLAS_NUM_THREADS": "1",
            }
            arguments = [sys.executable, "-m", "airlock.workers", str(theirs.fileno()), str(os.getpid())]
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), env=environment
            )
        connection = Connection(ours.detach())
        with suppress(OSError):
            connection.send_bytes(self._start)
        return _Worker(process, connection)

    @staticmethod
    def _end(worker: _Worker[T]) -> None:
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
    connection = Connection(descriptor)
    with suppress(EOFError, OSError):
        module, name, argument = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own parent
        work = None
        while True:
            task = connection.recv()
            try:
                work = work or getattr(importlib.import_module(module), name)(pickle.loads(argument))  # noqa: S301
                answer: object = (work(task),)
            except Exception as error:  # noqa: BLE001 - raised again in the parent
                answer = error.with_traceback(None)
                answer.__cause__ = answer.__context__ = None
            connection.send(answer)


if __name__ == "__main__":
    main()
