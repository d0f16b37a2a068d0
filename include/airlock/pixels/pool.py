"""WorkerPool: several `airlock.pixels.worker` processes, each driven by a thread of this process.

Not `multiprocessing`: it would import the caller's main module again, which under Airflow is a task runner, and a
crashed worker would break the whole pool instead of failing one file. Not :mod:`airlock.workers`, the pool for headers:
this one runs inside the rewriter's image, judges a worker by signs of life instead of by a deadline (one cine can take
minutes), and takes new tasks while it runs.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from airlock.errors import DetectorUnavailable
from airlock.worker_process import Forked, Process, can_fork, silence

Task = dict[str, Any]
Answer = dict[str, Any]

PATIENCE_SECONDS = 600.0
"""How long a worker may be silent; it speaks after every examined frame."""

HEAD_START_SECONDS = 0.7
"""How long each worker waits for the one before it: about what it takes to load the detector. What is done by then
needs no second worker."""

_NEEDED = ("airlock.pixels.worker", "airlock.pixels.decode", "airlock.pixels.inspection")
"""Modules that workers need and may share: they start no threads, as onnxruntime does."""


class WorkerPool:
    """Runs tasks of :mod:`airlock.pixels.worker`.

    Its workers are forks of this process where that is safe, so that they need not import everything anew; else, and
    when one of them is lost, fresh interpreters.

    :param workers: number of processes.
    :param patience_seconds: a worker that is silent for longer is killed, and its file is held.
    """

    def __init__(self, workers: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Task, Answer]] = queue.SimpleQueue()
        self._open = 0
        self._closed = threading.Event()
        self._forks: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._drive, args=(number * HEAD_START_SECONDS,), daemon=True)
            for number in range(max(workers, 1))
        ]

    def __enter__(self) -> WorkerPool:
        if _may_fork():
            for module in _NEEDED:
                import_module(module)
            for _ in self._threads:
                self._forks.put(_Worker(self._patience, self._closed, fork=True))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._closed.set()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, task: Task) -> None:
        """Add a task; it may be added while results are read."""
        self._open += 1
        self._tasks.put(task)

    def results(self) -> Iterator[tuple[Task, Answer]]:
        """Yield every task with its answer, as they come, until none is open.

        An answer holds `ok` with the result, or `held` with the reason.

        :raises DetectorUnavailable: as soon as one worker has no detector.
        """
        while self._open:
            task, answer = self._answers.get()
            self._open -= 1
            if "unavailable" in answer:
                raise DetectorUnavailable(answer["unavailable"])
            yield task, answer

    def _drive(self, head_start: float) -> None:
        worker: _Worker | None = None
        with suppress(queue.Empty):
            worker = self._forks.get_nowait()
        try:
            self._closed.wait(head_start)
            while (task := self._tasks.get()) is not None and not self._closed.is_set():
                answer: Answer = {"held": "its process ended unexpectedly"}
                try:
                    worker = worker or _Worker(self._patience, self._closed)
                    answer = worker.ask(task)
                except TimeoutError:
                    answer = {"held": f"nothing was heard of its process for {self._patience:.0f} s"}
                except OSError:
                    pass
                finally:
                    self._answers.put((task, answer))
                if worker and not worker.usable:
                    worker.stop()
                    worker = None
        finally:
            if worker:
                worker.stop()


class _Worker:
    """One process. A fresh interpreter must be started by the thread that uses it: it is killed when that thread ends.

    :param fork: as a fork of this process, which has one thread.
    """

    def __init__(self, patience_seconds: float, closed: threading.Event, *, fork: bool = False) -> None:
        self._patience = patience_seconds
        self._closed = closed
        self._reading, their_writing = os.pipe()
        their_reading, writing = os.pipe()
        self._tasks = os.fdopen(writing, "wb")
        self._process = (_forked if fork else _started)(their_reading, their_writing)
        os.close(their_reading)
        os.close(their_writing)
        self._rest = b""
        self.usable = True

    def ask(self, task: Task) -> Answer:
        """Do one task.

        :raises TimeoutError: when the process is silent for too long.
        :raises OSError: when it ended.
        """
        self.usable = False
        self._tasks.write(json.dumps(task).encode() + b"\n")
        self._tasks.flush()
        while True:
            answer: Answer = json.loads(self._line())
            if "alive" not in answer:
                self.usable = True
                return answer

    def _line(self) -> bytes:
        waited = 0.0
        while b"\n" not in self._rest:
            if self._closed.is_set():
                raise BrokenPipeError
            if not select.select([self._reading], [], [], 0.5)[0]:
                waited += 0.5
                if waited > self._patience:
                    raise TimeoutError
                continue
            if not (data := os.read(self._reading, 1 << 16)):
                raise BrokenPipeError
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        os.close(self._reading)
        with suppress(OSError):  # what was still to be written has no reader
            self._tasks.close()


def _may_fork() -> bool:
    """Whether this process has no other threads, of Python's or of the detector's: they would be missing in a fork."""
    # Not imported before it is asked: the parent itself may never need it.
    engine = sys.modules.get("airlock.pixels.engine")
    return can_fork() and ("onnxruntime" not in sys.modules or (engine is not None and engine.is_forkable()))


def _started(reading: int, writing: int) -> Process:
    """Start a worker as a fresh interpreter."""
    return subprocess.Popen(
        [sys.executable, "-m", "airlock.pixels.worker", str(os.getpid())],
        stdin=reading,
        stdout=writing,
        stderr=subprocess.DEVNULL,
        env=worker_environment(),
        # A signal to the group of the step is none to its workers; they end with it all the same.
        process_group=0,
    )


def _forked(reading: int, writing: int) -> Process:
    """Start a worker as a fork of this process, which has imported what it needs."""
    parent = os.getpid()
    if pid := os.fork():
        return Forked(pid)
    # From here on in the worker, which must never come back to what its parent was at.
    try:
        os.setpgid(0, 0)
        os.dup2(reading, 0)
        os.dup2(writing, 1)
        silence((0, 1))
        # Whatever the parent made of its streams is kept as long as this process lives: the end of a stream closes its
        # descriptor, one of the new 0, 1 and 2.
        _kept = sys.stdin, sys.stdout, sys.stderr
        sys.stdout = sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8")
        os.environ.update(worker_environment())
        # Looking for garbage in what there was before would copy its pages.
        gc.freeze()
        import_module("airlock.pixels.worker").serve(parent)
    finally:
        os._exit(0)


def worker_environment() -> dict[str, str]:
    """Return the environment of a child process in which `airlock` can be imported as it is here."""
    root = str(Path(__file__).resolve().parents[2])
    known = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = os.pathsep.join([root, *(part for part in known if part != root)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
