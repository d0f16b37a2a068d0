"""Work on many files in worker processes: harvest them, de-identify them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from airlock.deid.instance import Deidentifier, Recipe, Written
from airlock.dicomio.copying import sync
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import Evidence
from airlock.identity.stream import StreamHarvester
from airlock.workers import Lost, Workers

S = TypeVar("S", Evidence, Written)
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
    source: Path
    pixels_rewritten: bool = False
    name: str | None = None

    def __reduce__(self) -> tuple[object, tuple[str, str, bool, str | None]]:
        """Pickle in a fraction of the time that a path takes."""
        return _make_task, (self.key, str(self.source), self.pixels_rewritten, self.name)


def _make_task(key: str, source: str, pixels_rewritten: bool, name: str | None) -> Task:  # noqa: FBT001 - pickled
    return Task(key, Path(source), pixels_rewritten, name)


@dataclass(frozen=True)
class Refused:
    """A file that must be held.

    :param reason: free of values.
    """

    reason: str


def timeout_seconds(task: Task) -> float:
    """Return how long a file may take: two minutes, and a second for every 5 MB."""
    try:
        return 120.0 + task.source.stat().st_size / 5e6
    except OSError:
        return 120.0


def _guarded(work: Callable[[Task], S]) -> Callable[[Task], S | Refused]:
    def guarded(task: Task) -> S | Refused:
        try:
            return work(task)
        except InstanceNotUnderstood as error:
            return Refused(str(error))
        except FileNotFoundError:
            return Refused("Its file is missing.")
        except MemoryError:
            return Refused("It needs more memory than one instance may take.")
        except RecursionError:
            return Refused("Its sequences are nested too deeply to be processed.")

    return guarded


def make_harvester(_argument: None) -> Callable[[Task], Evidence | Refused]:
    """Return the function that workers harvest with."""
    return _guarded(partial(_harvest, StreamHarvester()))


def _harvest(harvester: StreamHarvester, task: Task) -> Evidence:
    try:
        return harvester.harvest_file(task.source)
    except PermissionError:
        raise InstanceNotUnderstood("It may not be read. Correct the permissions of its file.") from None


def make_deidentifier(argument: tuple[Recipe, Path]) -> Callable[[Task], Written | Refused]:
    """Return the function that workers de-identify with."""
    recipe, folder = argument
    return _guarded(partial(_deidentify, Deidentifier(recipe), folder))


def _deidentify(deidentifier: Deidentifier, folder: Path, task: Task) -> Written:
    return deidentifier.process(task.source, folder, pixels_rewritten=task.pixels_rewritten, name=task.name)


def harvest_all(pool: Workers, tasks: Sequence[Task]) -> Iterator[tuple[Task, Evidence | Refused]]:
    """Harvest files; what cannot be read is refused, and will be again.

    The evidence of all files of one patient's study counts together: that of a single file leaves out what an earlier
    one of them said.
    """
    for task, result in pool.run(make_harvester, None, tasks, timeout_seconds, worth_a_worker=_TASKS_WORTH_A_WORKER):
        yield task, _said(result)


def deidentify_all(
    pool: Workers, recipe: Recipe, folder: Path, tasks: Sequence[Task]
) -> Iterator[tuple[Task, Written | Refused]]:
    """De-identify files of one patient into a folder.

    :raises PolicyError: when the recipe's options cannot be used.
    :raises OSError: when the output cannot be written.
    """
    for task, result in pool.run(make_deidentifier, (recipe, folder), tasks, timeout_seconds, worth_a_worker=_TASKS_WORTH_A_WORKER):
        yield task, _said(result)
    sync(folder)


def _said(result: S | Refused | Lost) -> S | Refused:
    if isinstance(result, Lost):
        return Refused(TIMED_OUT if result.timed_out else DIED)
    return result
