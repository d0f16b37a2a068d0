"""Recorder: tells the ledger what the peer answered, in batches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from types import TracebackType
from typing import Any

from airlock.deliver.consignment import Consignment
from airlock.deliver.journal import Journal
from airlock.dicomio.progress import Progress
from airlock.dicomio.store import Outcome
from airlock.ledger import InstanceState, InstanceUpdate

REFUSED = "refused by the destination"
"""How the reason of an instance begins that is held because the destination doesn't want it."""
NOT_ACCEPTED = "no presentation context accepted"

# PS3.4 table B.2-1 and PS3.7 annex C
_MEANINGS = {
    0xA9: "the dataset doesn't match its SOP class",
    0xC0: "it cannot be understood",
    0x0122: "its SOP class is not supported",
    0x0124: "not authorised",
    0x0110: "processing failed",
    0x0111: "it has an instance of that UID already",
    0x0117: "its UID is not valid",
}
_DUPLICATE = 0x0111
_BATCH = 50
_BATCH_SECONDS = 2.0


class Recorder:
    """Collects outcomes; on leaving the block, also by an error, the ledger knows all of them.

    :param total: number of instances to send, for `progress`.
    :param ours: ids of those that it has from us if it has them at all: it was sent the same file before.
    """

    def __init__(
        self,
        consignment: Consignment,
        journal: Journal,
        total: int,
        progress: Progress,
        ours: Collection[str] = (),
    ) -> None:
        self._consignment = consignment
        self._journal = journal
        self._progress = progress
        self._ours = ours
        self._pending: list[InstanceUpdate] = []
        self._flushed_at = time.monotonic()
        self._done = 0
        self.total = total
        self.acknowledged = 0
        self.warnings: Counter[int] = Counter()
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
    def counts(self) -> dict[str, Any]:
        """Numbers for the event of the step. Warnings are counted by status."""
        return {
            "total": self.total,
            "acknowledged": self.acknowledged,
            "warnings": self.warnings.total(),
            **{f"warnings_0x{status:04X}": count for status, count in sorted(self.warnings.items())},
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
            self._refuse(outcome.id, NOT_ACCEPTED, None)
            return
        if outcome.comment:
            self._consignment.keep_comment(outcome.id, outcome.status, outcome.comment)
        if outcome.stored or (outcome.status == _DUPLICATE and outcome.id in self._ours):
            self.acknowledged += 1
            if outcome.status:
                self.warnings[outcome.status] += 1
            self._add(InstanceUpdate(outcome.id, InstanceState.ACKNOWLEDGED, reason="", status=outcome.status))
            return
        why = f"status 0x{outcome.status:04X}"
        if outcome.busy:
            self.busy.append(outcome.id)
            self._add(InstanceUpdate(outcome.id, reason=f"destination busy: {why}", status=outcome.status))
            return
        self.refused[outcome.id] = outcome.status
        meaning = _MEANINGS.get(outcome.status) or _MEANINGS.get(outcome.status >> 8)
        self._refuse(outcome.id, f"{why} ({meaning})" if meaning else why, outcome.status)

    def _refuse(self, instance_id: str, why: str, status: int | None) -> None:
        self._add(InstanceUpdate(instance_id, InstanceState.HELD, reason=f"{REFUSED}: {why}", status=status))

    def _add(self, update: InstanceUpdate) -> None:
        self._pending.append(update)
        self._done += 1
        if len(self._pending) >= _BATCH or time.monotonic() - self._flushed_at >= _BATCH_SECONDS:
            self._flush()
        self._progress(self._done, self.total)

    def _flush(self) -> None:
        if self._pending:
            self._consignment.record(self._pending)
            self._pending = []
        self._flushed_at = time.monotonic()
        self._journal.recorded()
