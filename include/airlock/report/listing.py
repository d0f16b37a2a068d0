"""The list of transfers, as the page and other programs read it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airlock.ledger import Ledger, TransferState, TransferSummary


def listing(
    ledger: Ledger,
    since: datetime,
    project: str = "",
    state: TransferState | None = None,
    part: slice = slice(100),
    is_overdue: Callable[[TransferSummary], bool] = lambda _: False,
) -> dict[str, Any]:
    """Return transfers, the latest first.

    :param since: of the request's arrival.
    :param project: only that project's; empty for all.
    :param state: only those in this state.
    :param part: which of them.
    :param is_overdue: whether a transfer takes longer than its project allows.
    :return: `transfers`; `total`, how many match; `states`, how many of the project there are by state; `projects`.
    """
    page = ledger.page(since, project, state, part)
    owed = {status.transfer_id for status in ledger.statuses.owed()}
    return {
        "transfers": [
            _row(summary, summary.id in owed) | {"overdue": is_overdue(summary)} for summary in page.transfers
        ],
        "total": page.total,
        "states": {found.value: count for found, count in page.states.items()},
        "projects": page.projects,
    }


def _row(summary: TransferSummary, owed: bool) -> dict[str, Any]:
    counts = summary.counts
    end = summary.finished_at or datetime.now(UTC)
    return {
        "transfer": summary.id,
        "run": summary.run_id,
        "project": summary.project,
        "state": summary.state.value,
        "message": summary.message,
        "arrived_at": summary.arrived_at.isoformat(timespec="seconds"),
        "seconds": round((end - summary.started_at).total_seconds()) if summary.started_at else None,
        "expected": summary.expected,
        "in": counts.received,
        "sent": counts.sent,
        "skipped": counts.skipped,
        "held": counts.held,
        "open": counts.open,
        "boxes": counts.boxes,
        "redcap_owed": owed,
    }
