"""What workers do with one file: harvest it, de-identify it. What cannot be done is told, not raised."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

from airlock.deid.batch import Refused, Task
from airlock.deid.instance import Deidentifier
from airlock.deid.onepass import OnePass
from airlock.errors import InstanceNotUnderstood
from airlock.identity.stream import StreamHarvester
from airlock.typed import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.batch import PlainTask
    from airlock.deid.first import First, Told
    from airlock.deid.frame import Frame
    from airlock.deid.recipe import Recipe, Written
    from airlock.identity.evidence import Evidence

S = TypeVar("S")
H = TypeVar("H")


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


def make_one_pass(argument: tuple[Frame, str]) -> Callable[[PlainTask], Told | str]:
    """Return the function that workers harvest and write with at once; it says why a file is refused."""
    process = _guarded(partial(_readable, OnePass(*argument).process))

    def told(task: PlainTask) -> Told | str:
        result: First | Refused = process(Task(*task))
        return result.reason if isinstance(result, Refused) else result.told()

    return told


def make_harvester(_argument: None) -> Callable[[Task], Evidence | Refused]:
    """Return the function that workers harvest with."""
    harvester = StreamHarvester()
    return _guarded(partial(_readable, _harvest_with(harvester)))


def _harvest_with(harvester: StreamHarvester) -> Callable[[Task], Evidence]:
    from pathlib import Path  # noqa: PLC0415 - the first pass, for which this module is imported too, does without

    return lambda task: harvester.harvest_file(Path(task.source))


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


def make_deidentifier(argument: tuple[Recipe, str | Path]) -> Callable[[Task], Written | Refused]:
    """Return the function that workers de-identify with."""
    from pathlib import Path  # noqa: PLC0415 - as above

    recipe, folder = argument
    deidentifier, target = Deidentifier(recipe), Path(folder)
    return _guarded(
        lambda task: deidentifier.process(
            Path(task.source), target, pixels_rewritten=task.pixels_rewritten, name=task.name
        )
    )
