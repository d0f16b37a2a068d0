"""Tables of the ledger. No column may hold a name, a patient ID, an accession number or an original UID."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class TransferState(enum.StrEnum):
    """Where a transfer stands."""

    REQUESTED = "requested"
    RUNNING = "running"
    REVIEW = "in review"  # waits for a person's answer
    HELD = "held"
    FAILED = "failed"
    REFUSED = "refused"
    PREPARED = "prepared"  # dry run, or stopped before send
    EMPTY = "empty"  # every instance was skipped by rule
    SENT = "sent"
    CANCELLED = "cancelled"  # stopped by a person before its end
    WITHDRAWN = "withdrawn"  # undone, or given up, by a person

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (TransferState.REQUESTED, TransferState.RUNNING, TransferState.REVIEW)

    def may_become(self, other: TransferState) -> bool:
        """Whether a transfer in this state may go to another; staying is always allowed."""
        return other is self or other in _NEXT[self]


_ENDINGS = frozenset(state for state in TransferState if state.ended)
# Whatever has ended may be started again (clear, redrive), and withdrawn. A task that is repeated after the end may
# find another ending only where the first one was not a good one.
_NEXT: dict[TransferState, frozenset[TransferState]] = {
    TransferState.REQUESTED: _ENDINGS | {TransferState.RUNNING},
    TransferState.RUNNING: _ENDINGS | {TransferState.REVIEW},
    TransferState.REVIEW: _ENDINGS | {TransferState.RUNNING},
    **{state: frozenset({TransferState.RUNNING, TransferState.WITHDRAWN}) for state in _ENDINGS},
}
for _state in (TransferState.HELD, TransferState.FAILED, TransferState.REFUSED):
    _NEXT[_state] |= {TransferState.HELD, TransferState.FAILED, TransferState.REFUSED}


class InstanceState(enum.StrEnum):
    """Where an instance stands."""

    RECEIVED = "received"
    READY = "ready"  # de-identified and waiting to be sent
    ACKNOWLEDGED = "acknowledged"  # the destination answered success, not yet proven stored
    SENT = "sent"  # proven stored
    SKIPPED = "skipped"  # a rule says so
    HELD = "held"  # a person must look


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, stored as naive UTC because SQLite has no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Declarative base of the ledger."""

    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}


def _enum(kind: type[enum.StrEnum]) -> Enum:
    return Enum(kind, native_enum=False, length=16, values_callable=lambda e: [member.value for member in e])


class TransferRow(Base):
    """One transfer request."""

    __tablename__ = "transfers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str | None] = mapped_column(String(250))
    project: Mapped[str | None] = mapped_column(String(64))
    policy_digest: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[TransferState] = mapped_column(_enum(TransferState))
    message: Mapped[str] = mapped_column(Text, default="")
    expected: Mapped[int | None]
    attempt: Mapped[int] = mapped_column(default=1)
    arrived_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    chain_length: Mapped[int] = mapped_column(default=0)
    chain_head: Mapped[str] = mapped_column(String(64), default="")


class InstanceRow(Base):
    """One instance of a transfer. `id` is its pseudonymous id, `sop_instance_uid` the new UID."""

    __tablename__ = "instances"
    __table_args__ = (Index("ix_instances_transfer_state", "transfer_id", "state"),)

    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[InstanceState] = mapped_column(_enum(InstanceState))
    reason: Mapped[str] = mapped_column(Text, default="")
    size: Mapped[int | None] = mapped_column(BigInteger)
    digest: Mapped[str | None] = mapped_column(String(64))
    sop_class_uid: Mapped[str | None] = mapped_column(String(64))
    sop_instance_uid: Mapped[str | None] = mapped_column(String(64))
    path: Mapped[str | None] = mapped_column(Text)
    boxes: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None]
    resume_state: Mapped[InstanceState | None] = mapped_column(_enum(InstanceState))


class DeliveryRow(Base):
    """An instance on its way to one destination, which is named by its connection.

    An empty name: it was sent before destinations were noted. What becomes of the instance as a whole is in its own row
    (`airlock.ledger.deliveries`).
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["transfer_id", "instance_id"], ["instances.transfer_id", "instances.id"], ondelete="CASCADE"
        ),
        Index("ix_deliveries_destination", "transfer_id", "destination", "state"),
    )

    transfer_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    instance_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    destination: Mapped[str] = mapped_column(String(250), primary_key=True)
    state: Mapped[InstanceState] = mapped_column(_enum(InstanceState))
    reason: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[int | None]


class EventRow(Base):
    """Something that happened to a transfer. Each row carries the digest of all before it (`airlock.ledger.chain`)."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    step: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64), default="")


class StatusRow(Base):
    """The newest status of a transfer that REDCap must be told, until it has confirmed it.

    `outcome` is what `airlock.redcap.outbox` makes of an outcome; `decided_at` tells a status from a later one.
    """

    __tablename__ = "statuses"

    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id", ondelete="CASCADE"), primary_key=True)
    outcome: Mapped[dict[str, Any]]
    decided_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    problem: Mapped[str] = mapped_column(Text, default="")
