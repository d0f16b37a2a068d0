"""Recorder: tells the ledger what the peer answered, in batches."""

from __future__ import annotations

import time
from types import TracebackType

from airlock.deliver.journal import Journal
from airlock.dicomio.progress import Progress
from airlock.dicomio.store import Outcome
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.transfer import Transfer

_BATCH = 50
_BATCH_SECONDS = 2.0


class Recorder:
    """Collects outcomes; on leaving the block, also by an error, the ledger knows all of them.

    :param total: number of instances to send, for `progress`.
    """

    def __init__(self, transfer: Transfer, journal: Journal, total: int, progress: Progress) -> None:
        self._transfer = transfer
        self._journal = journal
        self._progress = progress
        self._pending: list[InstanceUpdate] = []
        self._flushed_at = time.monotonic()
        self._done = 0
        self.total = total
        self.acknowledged = 0
        self.warnings = 0
        self.refused: dict[str, int] = {}
        self.not_accepted: list[str] = []
        self.busy: list[str] = []
        self.held: list[str] = []

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._flush()

    @property
    def counts(self) -> dict[str, int]:
        """Numbers for the event of the step."""
        return {
            "total": self.total,
            "acknowledged": self.acknowledged,
            "warnings": self.warnings,
            "refused": len(self.refused),
            "not_accepted": len(self.not_accepted),
            "busy": len(self.busy),
            "held": len(self.held),
        }

    def hold(self, instance_id: str, reason: str) -> None:
        """Note that an instance cannot be sent and a person must look."""
        self.held.append(instance_id)
        self._add(InstanceUpdate(instance_id, InstanceState.HELD, reason=reason))

    def take(self, outcome: Outcome) -> None:
        """Note what became of an instance."""
        self._journal.answered(outcome.id, outcome.status)
        if outcome.status is None:
            self.not_accepted.append(outcome.id)
            self._add(InstanceUpdate(outcome.id, reason="no presentation context accepted"))
            return
        if outcome.stored:
            self.acknowledged += 1
            self.warnings += outcome.status != 0
            self._add(InstanceUpdate(outcome.id, InstanceState.ACKNOWLEDGED, reason="", status=outcome.status))
            return
        if outcome.busy:
            self.busy.append(outcome.id)
        else:
            self.refused[outcome.id] = outcome.status
        self._add(InstanceUpdate(outcome.id, reason=f"C-STORE status 0x{outcome.status:04X}", status=outcome.status))

    def _add(self, update: InstanceUpdate) -> None:
        self._pending.append(update)
        self._done += 1
        if len(self._pending) >= _BATCH or time.monotonic() - self._flushed_at >= _BATCH_SECONDS:
            self._flush()
        self._progress(self._done, self.total)

    def _flush(self) -> None:
        if self._pending:
            self._transfer.ledger.record(self._transfer.id, self._pending)
            self._pending = []
        self._flushed_at = time.monotonic()
        self._journal.recorded()
