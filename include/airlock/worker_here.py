"""Tasks that are done in the process that has them, where another one watches over it (:mod:`airlock.cli.watched`).

A worker of its own takes longer to start, and to talk to, than a hundred small tasks. What a worker's end is to a pool,
the end of this process is to whoever watches: it does everything once more, with workers.
"""

from __future__ import annotations

# The C half of `signal`, whose other half makes enumerations of all that is in it.
import _signal as signal  # type: ignore[import-not-found]  # type checkers know the whole only
import time
from collections.abc import Callable, Iterator, Sequence

from airlock import background
from airlock.typed import Any
from airlock.worker import Work, confine, made_by, search_less, without_values


def do_here(
    make: Callable[[Any], Work] | str, argument: object, tasks: Sequence[Any], seconds: float
) -> Iterator[tuple[Any, Any]]:
    """Do tasks, one after the other; yield each with its result.

    Memory is bounded as a worker's is, for good. This process ends when a task takes longer than is allowed.

    :param make: as :meth:`airlock.workers.Workers.run` has it.
    :param seconds: that a task may take, and whatever is done with its result, to a second or two.
    :raises Exception: what a task raised, without values.
    """
    confine()
    allowed, set_at = int(seconds) + 2, -2.0
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        do = made_by(make, argument) if isinstance(make, str) else make(argument)
        search_less()
        background.allow()
        for task in tasks:
            if (now := time.monotonic()) - set_at > 1.0:
                signal.alarm(allowed)
                set_at = now
            try:
                result = do(task)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told as a worker tells it
                raise without_values(error) from None
            yield task, result
    finally:
        background.finish()
        signal.alarm(0)
