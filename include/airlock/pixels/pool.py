"""WorkerPool: several `airlock.pixels.worker` processes, each driven by a thread of this process.

Not `multiprocessing`: it would import the caller's main module again, which under Airflow is a task runner, and a
crashed worker would break the whole pool instead of failing one file. Not :mod:`airlock.workers`, the pool for headers:
this one runs inside the rewriter's image, judges a worker by signs of life instead of by a deadline (one cine can take
minutes), and takes new tasks while it runs.
"""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from airlock.errors import DetectorUnavailable

Task = dict[str, Any]
Answer = dict[str, Any]

PATIENCE_SECONDS = 600.0
"""How long a worker may be silent; it speaks after every examined frame."""


class WorkerPool:
    """Runs tasks of :mod:`airlock.pixels.worker`.

    :param workers: number of processes, started when they are needed.
    :param patience_seconds: a worker that is silent for longer is killed, and its file is held.
    """

    def __init__(self, workers: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Task, Answer]] = queue.SimpleQueue()
        self._open = 0
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._drive, daemon=True) for _ in range(max(workers, 1))]

    def __enter__(self) -> WorkerPool:
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

    def _drive(self) -> None:
        worker: _Worker | None = None
        try:
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
    """One process. It must be started by the thread that uses it: it is killed when that thread ends."""

    def __init__(self, patience_seconds: float, closed: threading.Event) -> None:
        self._patience = patience_seconds
        self._closed = closed
        self._process = subprocess.Popen(
            [sys.executable, "-m", "airlock.pixels.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=worker_environment(),
            # A signal to the group of the step is none to its workers; they end with it all the same.
            process_group=0,
        )
        self._rest = b""
        self.usable = True

    def ask(self, task: Task) -> Answer:
        """Do one task.

        :raises TimeoutError: when the process is silent for too long.
        :raises OSError: when it ended.
        """
        self.usable = False
        assert self._process.stdin
        self._process.stdin.write(json.dumps(task).encode() + b"\n")
        self._process.stdin.flush()
        while True:
            answer: Answer = json.loads(self._line())
            if "alive" not in answer:
                self.usable = True
                return answer

    def _line(self) -> bytes:
        assert self._process.stdout
        descriptor = self._process.stdout.fileno()
        waited = 0.0
        while b"\n" not in self._rest:
            if self._closed.is_set():
                raise BrokenPipeError
            if not select.select([descriptor], [], [], 0.5)[0]:
                waited += 0.5
                if waited > self._patience:
                    raise TimeoutError
                continue
            if not (data := os.read(descriptor, 1 << 16)):
                raise BrokenPipeError
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:  # what was still to be written has no reader
                    continue


def worker_environment() -> dict[str, str]:
    """Return the environment of a child process in which `airlock` can be imported as it is here."""
    root = str(Path(__file__).resolve().parents[2])
    known = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = os.pathsep.join([root, *(part for part in known if part != root)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
