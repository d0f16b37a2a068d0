"""What the ledger tells of a transfer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from airlock.ledger.models import TransferState


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


@dataclass(frozen=True)
class Page:
    """Some of the transfers, and what there is besides.

    :param total: how many match.
    :param states: how many of the project there are by state, whatever state was asked for.
    :param projects: all that have transfers.
    """

    transfers: list[TransferSummary]
    total: int
    states: dict[TransferState, int]
    projects: list[str]
