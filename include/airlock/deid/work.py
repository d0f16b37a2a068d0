"""What workers do with one file: harvest it, de-identify it. What cannot be done is told, not raised."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from airlock.deid.batch import Refused, Task
from airlock.deid.frame import Frame
from airlock.deid.instance import Deidentifier
from airlock.deid.onepass import First, OnePass
from airlock.deid.recipe import Recipe, Written
from airlock.errors import InstanceNotUnderstood
from airlock.identity.evidence import Evidence
from airlock.identity.stream import StreamHarvester

S = TypeVar("S", Evidence, Written, First)
H = TypeVar("H", Evidence, First)


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


def make_one_pass(argument: tuple[Frame, Path]) -> Callable[[Task], First | Refused]:
    """Return the function that workers harvest and write with at once."""
    return _guarded(partial(_readable, OnePass(*argument).process))


def make_harvester(_argument: None) -> Callable[[Task], Evidence | Refused]:
    """Return the function that workers harvest with."""
    harvester = StreamHarvester()
    return _guarded(partial(_readable, lambda task: harvester.harvest_file(Path(task.source))))


def _readable(harvest: Callable[[Task], H], task: Task) -> H:
    try:
        return harvest(task)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ELOOP):
            raise InstanceNotUnderstood(
                "It is a link to a folder, or to itself. Put the files in its place, or remove it."
            ) from None
        if not isinstance(error, PermissionError):
            raise
        raise InstanceNotUnderstood("It may not be read. Correct the permissions of its file.") from None


def make_deidentifier(argument: tuple[Recipe, Path]) -> Callable[[Task], Written | Refused]:
    """Return the function that workers de-identify with."""
    recipe, folder = argument
    return _guarded(partial(_deidentify, Deidentifier(recipe), folder))


def _deidentify(deidentifier: Deidentifier, folder: Path, task: Task) -> Written:
    return deidentifier.process(Path(task.source), folder, pixels_rewritten=task.pixels_rewritten, name=task.name)
