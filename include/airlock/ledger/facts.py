"""What the ledger tells: counts, instances, transfers."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from airlock.ledger.models import InstanceState, TransferState


@dataclass(frozen=True)
class Counts:
    """Instances of a transfer by what became of them; `received = sent + skipped + held + open`."""

    received: int = 0
    sent: int = 0
    skipped: int = 0
    held: int = 0
    boxes: int = 0

    @property
    def open(self) -> int:
        """Instances that a step still has to work on."""
        return self.received - self.sent - self.skipped - self.held


@dataclass(frozen=True)
class InstanceUpdate:
    """What a step found out about one instance. `None` leaves a column as it is.

    :param id: pseudonymous instance id.
    :param reason: why it is skipped or held, free of patient data.
    :param path: file below the workspace, free of patient data.
    :param status: DIMSE status of the last C-STORE (PS3.7 annex C).
    """

    id: str
    state: InstanceState | None = None
    reason: str | None = None
    size: int | None = None
    digest: str | None = None
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    path: str | None = None
    boxes: int | None = None
    status: int | None = None

    def values(self) -> dict[str, Any]:
        """Columns to write."""
        return {f.name: v for f in fields(self) if f.name != "id" and (v := getattr(self, f.name)) is not None}


@dataclass(frozen=True)
class TransferSummary:
    """A transfer as the ledger knows it."""

    id: str
    run_id: str | None
    project: str | None
    policy_digest: str | None
    state: TransferState
    message: str
    expected: int | None
    attempt: int
    arrived_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    counts: Counts = field(default_factory=Counts)
