"""Metrics: how long steps take, how much goes through, what waits. All of it is counted from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, TextIO

from airlock.ledger import Ledger, TransferState, TransferSummary

TSV_COLUMNS = (
    "batch_id",
    "status",
    "size",
    "start",
    "finish",
    "seconds",
    "minutes",
    "project",
    "instances",
    "sent",
)
"""The first seven are those of sendit's `export_metrics`; `size` is in bytes, times are ISO 8601 in UTC."""
WAITING = tuple(state for state in TransferState if not state.ended)


@dataclass
class StepMetrics:
    """One step over all transfers.

    :param seconds: of each time that it finished.
    :param failures: how often it failed.
    :param instances: of the transfers for which it finished.
    :param size: bytes of these instances.
    """

    seconds: list[float] = field(default_factory=list)
    failures: int = 0
    instances: int = 0
    size: int = 0

    def facts(self) -> dict[str, Any]:
        """Return the numbers that are shown; rates are None when no time was measured."""
        total = sum(self.seconds)
        return {
            "finished": len(self.seconds),
            "failed": self.failures,
            "seconds_median": round(median(self.seconds), 3) if self.seconds else None,
            "seconds_longest": round(max(self.seconds), 3) if self.seconds else None,
            "seconds_total": round(total, 3),
            "instances_per_second": round(self.instances / total, 1) if total else None,
            "megabytes_per_second": round(self.size / total / 1e6, 2) if total else None,
        }


def metrics(ledger: Ledger, since: datetime, now: datetime | None = None) -> dict[str, Any]:
    """Return the metrics of the transfers that were requested since a time.

    :return: `transfers` by state; `instances` and `bytes` sent; `gigabytes_per_day` sent, by UTC date of the ending;
        `queue`, transfers that have not ended, whenever requested, and the age of the oldest in seconds; `steps`.
    """
    now = now or datetime.now(UTC)
    steps: defaultdict[str, StepMetrics] = defaultdict(StepMetrics)
    states: defaultdict[str, int] = defaultdict(int)
    per_day: defaultdict[str, int] = defaultdict(int)
    instances = sent = 0
    for summary in ledger.transfers(since=since):
        size = _size(ledger, summary)
        states[summary.state.value] += 1
        _add_steps(steps, ledger, summary, size)
        if summary.state is TransferState.SENT and summary.finished_at is not None:
            per_day[f"{summary.finished_at:%Y-%m-%d}"] += size
            instances, sent = instances + summary.counts.sent, sent + size
    waiting = ledger.transfers(states=WAITING)
    oldest = min((summary.arrived_at for summary in waiting), default=now)
    return {
        "since": since.isoformat(timespec="seconds"),
        "transfers": dict(states),
        "instances": instances,
        "bytes": sent,
        "gigabytes_per_day": {day: round(size / 1e9, 3) for day, size in sorted(per_day.items())},
        "queue": {"transfers": len(waiting), "oldest_seconds": round((now - oldest).total_seconds())},
        "steps": {name: step.facts() for name, step in steps.items()},
    }


def write_tsv(ledger: Ledger, summaries: Iterable[TransferSummary], stream: TextIO) -> None:
    """Write a line per transfer."""
    stream.write("\t".join(TSV_COLUMNS) + "\n")
    for row in _rows(ledger, summaries):
        stream.write("\t".join(str(value) for value in row) + "\n")


def _rows(ledger: Ledger, summaries: Iterable[TransferSummary]) -> Iterator[tuple[Any, ...]]:
    for summary in summaries:
        start, finish = summary.started_at, summary.finished_at
        seconds = (finish - start) / timedelta(seconds=1) if start and finish else None
        yield (
            summary.id,
            summary.state.value.upper(),
            _size(ledger, summary),
            start.isoformat(timespec="seconds") if start else "",
            finish.isoformat(timespec="seconds") if finish else "",
            "" if seconds is None else round(seconds, 3),
            "" if seconds is None else round(seconds / 60, 3),
            " ".join((summary.project or "").split()),
            summary.counts.received,
            summary.counts.sent,
        )


def _size(ledger: Ledger, summary: TransferSummary) -> int:
    """Bytes of a transfer's instances, as far as they are known: de-identified ones, else those that came."""
    return sum(instance.size or 0 for instance in ledger.instances(summary.id))


def _add_steps(steps: dict[str, StepMetrics], ledger: Ledger, summary: TransferSummary, size: int) -> None:
    for _, name, kind, detail in ledger.events(summary.id):
        if kind == "failed":
            steps[name].failures += 1
        elif kind == "finished" and "seconds" in detail:
            step = steps[name]
            step.seconds.append(float(detail["seconds"]))
            step.instances += summary.counts.received
            step.size += size
