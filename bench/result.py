"""What was measured, and the table that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from bench.measure import Comparison


@dataclass(frozen=True)
class Measured:
    """Airlock and a peer did the same work."""

    work: str
    comparison: Comparison


@dataclass(frozen=True)
class Figure:
    """Airlock did work that no peer did."""

    work: str
    wall_seconds: float
    cpu_seconds: float
    rate: str


@dataclass(frozen=True)
class Count:
    """Something was counted, not timed."""

    work: str
    share: str
    detail: str


@dataclass(frozen=True)
class Skipped:
    """A peer is not installed.

    :param reason: what is missing and how to get it.
    """

    work: str
    peer: str
    reason: str


Result = Measured | Figure | Count | Skipped


def table(results: Sequence[Result]) -> Table:
    """Return the table for people."""
    shown = Table(title="Medians. Ratio: peer / Airlock; above 1, Airlock is the faster one.")
    for column in ("Work", "Peer"):
        shown.add_column(column, min_width=12)
    for column in ("Airlock", "Peer takes", "Time ratio (range)", "CPU ratio"):
        shown.add_column(column, justify="right")
    for result in results:
        shown.add_row(*_row(result))
    return shown


def _row(result: Result) -> tuple[str, ...]:
    if isinstance(result, Skipped):
        return result.work, f"{result.peer}: {result.reason}", "", "", "skipped", ""
    if isinstance(result, Count):
        return result.work, result.detail, result.share, "", "", ""
    if isinstance(result, Figure):
        return result.work, "none", f"{result.wall_seconds:.2f} s", "", result.rate, ""
    compared = result.comparison
    ours, theirs = (median(run.wall_seconds for run in runs) for runs in (compared.ours, compared.theirs))
    low, high = min(compared.wall_ratios), max(compared.wall_ratios)
    spread = f"{compared.wall_ratio:.2f} ({low:.2f}-{high:.2f})"
    return result.work, compared.peer, f"{ours:.2f} s", f"{theirs:.2f} s", spread, f"{compared.cpu_ratio:.2f}"
