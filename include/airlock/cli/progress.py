"""Progress bars, the same for every command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airlock.dicomio.progress import Progress, no_progress


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Yield a function that shows how far the work is, on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    # A tenth of a second of imports: longer than many a command takes.
    from rich.console import Console  # noqa: PLC0415 - as the comment says
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above
    from rich.progress import Progress as Bar  # noqa: PLC0415 - as above

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
