"""Workers: processes that do one task each at a time, and whose death or silence costs one task, not the step.

A worker is a fresh interpreter, or a fork of its parent, because an interpreter takes as long to start as hundreds of
small tasks; what a fork's parent had open leads nowhere in it. Either has a memory limit, dies with its parent, and is
killed when a task takes too long.

This pool is for many small tasks of one kind on headers (deid, verify): it pickles functions, imports no codecs, and
tries a lost task once more, alone. Pixels have :mod:`airlock.pixels.pool`, which must also run inside the rewriter's
image: tasks are JSON with fixed names, may be added while results come, take minutes as long as they show life, and
have no memory limit but the container's.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from airlock.tuples import NamedTuple
from airlock.typed import Any, TypeVar
from airlock.worker import Work, encode
from airlock.worker_here import do_here
from airlock.worker_process import Worker, can_fork, spawn

A = TypeVar("A")
T = TypeVar("T")
R = TypeVar("R")
# A worker takes about as long to start as it needs for so many files.
_TASKS_WORTH_A_WORKER = 50
# Tasks that are handed out together: one at a time, the way to the worker and back takes as long as the task.
_TASKS_PER_CHUNK = 256
_CHUNKS_AHEAD = 2
# What more of them come to may take more memory than a worker is allowed.
_MOST_TASKS_HERE = 20_000
_SECONDS = 120.0


class Lost(NamedTuple):
    """A task whose worker died or did not answer, twice: the second time alone.

    :param timed_out: it took too long; else the worker died, as it does when memory runs out.
    """

    timed_out: bool


class _Job:
    """What is done with tasks.

    :param number: jobs are numbered, because the same one may be given twice and must be made anew then.
    :param make: see :meth:`Workers.run`.
    :param least: None when it is the least that tasks are allowed.
    """

    __slots__ = ("_alike", "_argument", "_encoded", "_least", "_made", "_make", "allowed", "number")

    def __init__(
        self,
        number: int,
        make: Callable[[Any], Work] | str,
        argument: object,
        allowed: Callable[[Any], float],
        least: float | None,
        alike: Callable[[Any], object] | None,
    ) -> None:
        self.number, self.allowed = number, allowed
        self._make, self._argument, self._least, self._alike = make, argument, least, alike
        self._encoded = b""
        self._made: Work | None = None

    def made(self) -> Work | None:
        """Return what does single tasks, for processes that are forked of this one; None where it is known by name."""
        if self._made is None and not isinstance(self._make, str):
            self._made = self._make(self._argument)
        return self._made

    def encoded(self) -> bytes:
        """Return what other processes make the same of."""
        if not self._encoded:
            make = self._make
            name = make if isinstance(make, str) else f"{make.__module__}:{make.__qualname__}"
            self._encoded = encode((name, self._argument))
        return self._encoded

    def cut(self, tasks: list[Any], size: int) -> list[Any]:
        """Return the first of some tasks, about as many as are wanted: no less than half, and twice as many at most."""
        if self._alike is None or len(tasks) <= size:
            return tasks[:size]
        kinds = list(map(self._alike, tasks))
        ends = [end for end in range(max(1, size // 2), len(tasks)) if kinds[end] != kinds[end - 1]]
        return tasks[: min(ends, key=lambda end: abs(end - size), default=size)]

    def least(self, tasks: list[Any]) -> float:
        """Return how many seconds each of some tasks may take at least."""
        return min(map(self.allowed, tasks)) if self._least is None else self._least


class Workers:
    """A pool of worker processes, used as a context manager, for one job after the other.

    :param count: number of processes at most; few tasks are given to fewer.
    :param fork: workers may be forks of this process. Without effect where it has threads.
    :param here: what one worker is enough for is done in this process, see :mod:`airlock.worker_here`.
    """

    def __init__(self, count: int, *, fork: bool = False, here: bool = False) -> None:
        self._count, self._fork, self._here = count, fork, here
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
        timeout_seconds: Callable[[T], float] | None = None,
        *,
        least_seconds: float | None = None,
        alike: Callable[[T], object] | None = None,
        worth_a_worker: int = _TASKS_WORTH_A_WORKER,
    ) -> Iterator[tuple[T, R | Lost]]:
        """Do tasks; yield each with its result, in the order in which they end.

        A task whose worker is lost is tried once more when all others are done, alone.

        :param make: importable function, or its name as `module:name`, that returns the function for single tasks;
            called once in every worker, or once for all that are forked, where it is not a name. Results and exceptions
            of tasks must be picklable; plain tuples of plain values take the least time.
        :param argument: for `make`; plain values take the least time here too.
        :param timeout_seconds: for a task, from when it begins; two minutes by default.
        :param least_seconds: no task is allowed less; then it is asked only of tasks that take longer.
        :param alike: says what neighbouring tasks share; those that share it take less time in the same worker.
        :param worth_a_worker: so many tasks take about as long as a worker to start.
        :raises Exception: what a task raised.
        """
        self._jobs += 1
        if timeout_seconds is None:
            timeout_seconds, least_seconds = (lambda _task: _SECONDS), _SECONDS
        count = min(self._count, 1 + len(tasks) // worth_a_worker)
        few = count == 1 and len(tasks) <= _MOST_TASKS_HERE
        # Workers that there are remember what they did.
        if self._here and few and least_seconds is not None and not self._workers:
            yield from do_here(make, argument, tasks, least_seconds)
            return
        job = _Job(self._jobs, make, argument, timeout_seconds, least_seconds, alike)
        lost: list[T] = []
        for task, result in self._round(job, deque(tasks), count):
            if isinstance(result, Lost):
                lost.append(task)
            else:
                yield task, result
        for task in lost:
            yield from self._round(job, deque([task]), 1)

    def _round(self, job: _Job, waiting: deque[T], count: int) -> Iterator[tuple[T, Any]]:
        while waiting or any(worker.tasks for worker in self._workers):
            self._hand_out(job, waiting, count)
            busy = [worker for worker in self._workers if worker.tasks]
            now = time.monotonic()
            patience = min(worker.patience(now) for worker in busy)
            ready = _readable([worker.channel.reading for worker in busy], max(0.0, patience))
            for worker in busy:
                if worker.channel.reading in ready:
                    yield from self._receive(worker, waiting)
                elif worker.is_late(time.monotonic()):
                    yield from self._lose(worker, waiting, timed_out=True)

    def _hand_out(self, job: _Job, waiting: deque[T], count: int) -> None:
        # Smaller chunks at the end, so that all workers end at about the same time.
        size = min(_TASKS_PER_CHUNK, 1 + len(waiting) // (2 * count))
        while waiting:
            worker = min(self._workers, key=lambda worker: len(worker.tasks), default=None)
            if worker is None or (worker.tasks and len(self._workers) < count):
                worker = self._one_more(job)
            elif len(worker.tasks) > (_CHUNKS_AHEAD - 1) * size:
                return
            if worker.job != job.number:
                worker.begin(job.number, job.encoded(), job.allowed)
            chunk = job.cut(list(islice(waiting, 2 * size)), size)
            while not worker.give(chunk, job.least(chunk)):
                if worker.tasks:
                    return
                chunk = chunk[: len(chunk) // 2]
            for _ in chunk:
                waiting.popleft()

    def _one_more(self, job: _Job) -> Worker:
        fork = self._fork and can_fork()
        do = job.made() if fork else None
        worker = spawn(do, fork=fork)
        self._workers.append(worker)
        if do is not None:
            worker.begin(job.number, b"", job.allowed)
        return worker

    def _receive(self, worker: Worker, waiting: deque[Any]) -> list[tuple[Any, Any]]:
        try:
            answers = worker.channel.receive()
        except (EOFError, OSError):
            return self._lose(worker, waiting, timed_out=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [(task, answer[0]) for task, answer in zip(worker.answer(len(answers)), answers, strict=True)]

    def _lose(self, worker: Worker, waiting: deque[Any], *, timed_out: bool) -> list[tuple[Any, Lost]]:
        """Give up a worker. What it was at is lost; what it had not begun, or not told of, is done by another one."""
        worker.end()
        self._workers.remove(worker)
        tasks = list(worker.tasks)
        at = worker.at
        lost = [tasks.pop(at if 0 <= at < len(tasks) else 0)]
        waiting.extendleft(reversed(tasks))
        return [(task, Lost(timed_out)) for task in lost]


def _readable(descriptors: list[int], seconds: float) -> set[int]:
    """Wait until one of the descriptors can be read, or its other end is closed."""
    import select  # noqa: PLC0415 - whoever does the work itself waits for nobody

    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
