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

import pickle
import select
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from airlock.worker_process import Worker, spawn

A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")
# A worker takes about as long to start as it needs for so many files.
_TASKS_WORTH_A_WORKER = 50
# Tasks that are handed out together: one at a time, the way to the worker and back takes as long as the task.
_TASKS_PER_CHUNK = 16
_CHUNKS_AHEAD = 2


@dataclass(frozen=True)
class Lost:
    """A task whose worker died or did not answer, twice: the second time alone.

    :param timed_out: it took too long; else the worker died, as it does when memory runs out.
    """

    timed_out: bool


class Workers:
    """A pool of worker processes, used as a context manager, for one job after the other.

    :param count: number of processes at most; few tasks are given to fewer.
    :param fork: the caller has nothing open that a fork of it should not have. Without effect where it has threads.
    """

    def __init__(self, count: int, *, fork: bool = False) -> None:
        self._count, self._fork = count, fork
        self._workers: list[Worker] = []
        self._jobs = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_error: object) -> None:
        for worker in self._workers:
            worker.end()
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
            ready = _readable([worker.channel.reading for worker in busy], max(0.0, patience))
            for worker in busy:
                if worker.channel.reading in ready:
                    yield from self._receive(worker, waiting)
                elif time.monotonic() >= worker.deadline:
                    yield from self._lose(worker, waiting, timed_out=True)

    def _hand_out(self, job: bytes, waiting: deque[T], count: int, timeout_seconds: Callable[[T], float]) -> None:
        # Smaller chunks at the end, so that all workers end at about the same time.
        size = min(_TASKS_PER_CHUNK, 1 + len(waiting) // (2 * count))
        while waiting:
            worker = min(self._workers, key=lambda worker: len(worker.tasks), default=None)
            if worker is None or (worker.tasks and len(self._workers) < count):
                worker = spawn(fork=self._fork, others=self._workers)
                self._workers.append(worker)
            elif len(worker.tasks) > (_CHUNKS_AHEAD - 1) * size:
                return
            chunk = [waiting.popleft() for _ in range(min(size, len(waiting)))]
            worker.tasks.extend((task, timeout_seconds(task)) for task in chunk)
            worker.handed_out = time.monotonic()
            # A worker that is dead already is noticed when its answer is read.
            with suppress(OSError):
                if worker.job != job:
                    worker.channel.send(job)
                    worker.job = job
                worker.channel.send(chunk)

    def _receive(self, worker: Worker, waiting: deque[Any]) -> list[tuple[Any, Any]]:
        try:
            answers = worker.channel.receive()
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

    def _lose(self, worker: Worker, waiting: deque[Any], *, timed_out: bool) -> list[tuple[Any, Lost]]:
        """Give up a worker. What it was at is lost; what it had not begun, or not told of, is done by another one."""
        worker.end()
        self._workers.remove(worker)
        tasks = [task for task, _ in worker.tasks]
        at = worker.at
        lost = [tasks.pop(at if 0 <= at < len(tasks) else 0)]
        waiting.extendleft(reversed(tasks))
        return [(task, Lost(timed_out)) for task in lost]


def _readable(descriptors: list[int], seconds: float) -> set[int]:
    """Wait until one of the descriptors can be read, or its other end is closed."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
