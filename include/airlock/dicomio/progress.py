"""How long-running work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""`progress(done, total)`, in instances; `total` is None while it is not known."""


def no_progress(done: int, total: int | None) -> None:
    """Tell nobody."""
