"""Work on many files in worker processes: harvest them, de-identify them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any, TypeVar
from airlock.workers import Lost

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.first import Told
    from airlock.deid.frame import Frame
    from airlock.deid.recipe import Recipe, Written
    from airlock.identity.evidence import Evidence
    from airlock.workers import Workers

S = TypeVar("S")
# By name: they are needed in the workers only, and importing them takes longer than many a folder.
_HARVESTER = "airlock.deid.work:make_harvester"
_DEIDENTIFIER = "airlock.deid.work:make_deidentifier"
# Harvested and de-identified, together.
_TASKS_WORTH_A_WORKER = 200
_LEAST_SECONDS = 120.0
TIMED_OUT = "It took too long to process. Look at the file, or send the study without it."
DIED = "Processing it ended the worker process, most likely for lack of memory. Look at the file."


class Task(NamedTuple):
    """One file.

    :param key: what the caller calls it.
    :param name: path of the output below the output folder, when it is not made of the new UIDs.
    """

    key: str
    source: str | Path
    pixels_rewritten: bool = False
    name: str | None = None


PlainTask = tuple[str, str, bool, str | None]
"""A :class:`Task` as it goes to workers."""


class Refused(NamedTuple):
    """A file that must be held.

    :param reason: free of values.
    """

    reason: str


def timeout_seconds(task: Task | PlainTask) -> float:
    """Return how long a file may take: two minutes, and a second for every 5 MB."""
    try:
        return _LEAST_SECONDS + os.stat(task[1]).st_size / 5e6  # noqa: PTH116 - making a path takes longer than the call
    except OSError:
        return _LEAST_SECONDS


def harvest_all(pool: Workers, tasks: Sequence[Task]) -> Iterator[tuple[Task, Evidence | Refused]]:
    """Harvest files; what cannot be read is refused, and will be again.

    The evidence of all files of one patient's study counts together: that of a single file leaves out what an earlier
    one of them said.
    """
    yield from _run(pool, _HARVESTER, None, tasks)


def first_pass(pool: Workers, frame: Frame, folder: str, tasks: Sequence[Task]) -> Iterator[tuple[str, Told | Refused]]:
    """Harvest files, and write outputs that may go out only when :mod:`airlock.deid.release` says so.

    :return: what became of each, by the tasks' keys.
    :raises PolicyError: when the policy's options cannot be used.
    """
    # Not before: most of the time that a folder takes may be that of this import. Workers that are forked have it.
    from airlock.deid.work import make_one_pass  # noqa: PLC0415 - as the comment says

    plain: list[PlainTask] = [(task[0], str(task[1]), task[2], task[3]) for task in tasks]
    results: Iterator[tuple[PlainTask, Told | str | Lost]]
    results = pool.run(
        make_one_pass,
        (frame, folder),
        plain,
        timeout_seconds,
        least_seconds=_LEAST_SECONDS,
        # Mostly, a folder is a series: what is known of its study is known to one worker.
        alike=lambda task: task[1].rpartition("/")[0],
        worth_a_worker=_TASKS_WORTH_A_WORKER,
    )
    for task, result in results:
        yield task[0], Refused(result) if isinstance(result, str) else _said(result)


def deidentify_all(
    pool: Workers, recipe: Recipe, folder: str | Path, tasks: Sequence[Task]
) -> Iterator[tuple[Task, Written | Refused]]:
    """De-identify files of one patient into a folder.

    :raises PolicyError: when the recipe's options cannot be used.
    :raises OSError: when the output cannot be written.
    """
    yield from _run(pool, _DEIDENTIFIER, (recipe, folder), tasks)


def _run(pool: Workers, make: str, job: object, tasks: Sequence[Task]) -> Iterator[tuple[Task, Any]]:
    # A path takes longer on its way than all the rest.
    plain = [task._replace(source=str(task.source)) for task in tasks]
    results = pool.run(
        make, job, plain, timeout_seconds, least_seconds=_LEAST_SECONDS, worth_a_worker=_TASKS_WORTH_A_WORKER
    )
    for task, result in results:
        yield task, _said(result)


def in_order(
    tasks: Sequence[Task], results: Iterable[tuple[Task, Written | Refused]]
) -> Iterator[tuple[Task, Written | Refused]]:
    """Yield results in the order of their tasks: of two inputs that are the same instance, the first one goes out."""
    waiting: dict[str, Written | Refused] = {}
    following = iter(tasks)
    task = next(following, None)
    for done, result in results:
        waiting[done.key] = result
        while task is not None and task.key in waiting:
            yield task, waiting.pop(task.key)
            task = next(following, None)


def _said(result: S | Lost) -> S | Refused:
    if isinstance(result, Lost):
        return Refused(TIMED_OUT if result.timed_out else DIED)
    return result
