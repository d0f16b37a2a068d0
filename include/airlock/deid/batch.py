"""Work on many files in worker processes: harvest them, de-identify them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from airlock.deid.frame import Frame
from airlock.deid.recipe import Recipe, Written
from airlock.identity.evidence import Evidence
from airlock.workers import Lost, Workers

if TYPE_CHECKING:
    from airlock.deid.onepass import First

S = TypeVar("S", "Evidence", "Written", "First")
# By name: they are needed in the workers only, and importing them takes longer than many a folder.
_FIRST = "airlock.deid.work:make_one_pass"
_HARVESTER = "airlock.deid.work:make_harvester"
_DEIDENTIFIER = "airlock.deid.work:make_deidentifier"
# Harvested and de-identified, together.
_TASKS_WORTH_A_WORKER = 200
TIMED_OUT = "It took too long to process. Look at the file, or send the study without it."
DIED = "Processing it ended the worker process, most likely for lack of memory. Look at the file."


@dataclass(frozen=True)
class Task:
    """One file.

    :param key: what the caller calls it.
    :param name: path of the output below the output folder, when it is not made of the new UIDs.
    """

    key: str
    source: str | Path
    pixels_rewritten: bool = False
    name: str | None = None

    def __reduce__(self) -> tuple[object, tuple[str, str, bool, str | None]]:
        """Pickle in a fraction of the time that a path takes."""
        return _make_task, (self.key, str(self.source), self.pixels_rewritten, self.name)


def _make_task(key: str, source: str, pixels_rewritten: bool, name: str | None) -> Task:
    return Task(key, source, pixels_rewritten, name)


@dataclass(frozen=True)
class Refused:
    """A file that must be held.

    :param reason: free of values.
    """

    reason: str


def timeout_seconds(task: Task) -> float:
    """Return how long a file may take: two minutes, and a second for every 5 MB."""
    try:
        return 120.0 + os.stat(task.source).st_size / 5e6  # noqa: PTH116 - making a path takes longer than the call
    except OSError:
        return 120.0


def harvest_all(pool: Workers, tasks: Sequence[Task]) -> Iterator[tuple[Task, Evidence | Refused]]:
    """Harvest files; what cannot be read is refused, and will be again.

    The evidence of all files of one patient's study counts together: that of a single file leaves out what an earlier
    one of them said.
    """
    results: Iterator[tuple[Task, Evidence | Refused | Lost]]
    results = pool.run(_HARVESTER, None, tasks, timeout_seconds, worth_a_worker=_TASKS_WORTH_A_WORKER)
    for task, result in results:
        yield task, _said(result)


def first_pass(
    pool: Workers, frame: Frame, folder: Path, tasks: Sequence[Task]
) -> Iterator[tuple[Task, First | Refused]]:
    """Harvest files, and write outputs that may go out only when :mod:`airlock.deid.release` says so.

    :raises PolicyError: when the policy's options cannot be used.
    """
    results: Iterator[tuple[Task, First | Refused | Lost]]
    results = pool.run(_FIRST, (frame, folder), tasks, timeout_seconds, worth_a_worker=_TASKS_WORTH_A_WORKER)
    for task, result in results:
        yield task, _said(result)


def deidentify_all(
    pool: Workers, recipe: Recipe, folder: Path, tasks: Sequence[Task]
) -> Iterator[tuple[Task, Written | Refused]]:
    """De-identify files of one patient into a folder.

    :raises PolicyError: when the recipe's options cannot be used.
    :raises OSError: when the output cannot be written.
    """
    results: Iterator[tuple[Task, Written | Refused | Lost]]
    job = (recipe, folder)
    results = pool.run(_DEIDENTIFIER, job, tasks, timeout_seconds, worth_a_worker=_TASKS_WORTH_A_WORKER)
    for task, result in results:
        yield task, _said(result)


def _said(result: S | Refused | Lost) -> S | Refused:
    if isinstance(result, Lost):
        return Refused(TIMED_OUT if result.timed_out else DIED)
    return result
