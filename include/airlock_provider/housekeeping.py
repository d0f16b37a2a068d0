"""What the housekeeping DAG does: nothing of a study stays longer than somebody may still need it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from airlock.ledger import TransferState, TransferSummary
from airlock.quiet import guarded
from airlock.settings import load_settings
from airlock.transfer import open_ledger, workspace_of

log = logging.getLogger(__name__)

DELIVERED = (TransferState.SENT, TransferState.EMPTY)
# A run that has just ended may still be removing its own.
GRACE = timedelta(hours=1)


def remove_expired_workspaces(now: datetime | None = None) -> int:
    """Remove workspaces that nobody needs; return how many.

    Those of transfers that ended longer ago than `AIRLOCK_KEEP_FAILED_DAYS`, unless a person has yet to decide; what a
    killed task left of a delivered one; and folders that belong to no transfer of the ledger, after the same time.
    """
    settings = load_settings()
    now = now or datetime.now(UTC)
    keep = timedelta(days=settings.keep_failed_days)
    removed = 0
    with guarded():
        transfers = {summary.id: summary for summary in open_ledger(settings).transfers()}
        folders = sorted(settings.transfers_folder.iterdir()) if settings.transfers_folder.is_dir() else []
        for folder in folders:
            summary = transfers.get(folder.name)
            if summary is None:
                expired = datetime.fromtimestamp(folder.stat().st_mtime, UTC) < now - keep
            else:
                expired = _expired(summary, now, keep)
            if expired:
                workspace_of(folder.name, settings).purge()
                removed += 1
    log.info("Removed %d workspaces", removed)
    return removed


def _expired(summary: TransferSummary, now: datetime, keep: timedelta) -> bool:
    if summary.finished_at is None or summary.state is TransferState.HELD or not summary.state.ended:
        return False
    return summary.finished_at < now - (min(GRACE, keep) if summary.state in DELIVERED else keep)
