"""Progress bars, the same for every command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airlock.dicomio.progress import Progress


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Yield a function that shows how far the work is, on standard error; nothing when nobody watches."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    # Importing it takes as long as a small folder takes to de-identify.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
