"""Ledger: every number that anyone reads is counted from here."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from airlock.database import connect
from airlock.errors import DuplicateRequest, NotPossibleNow
from airlock.ledger.cancellation import Cancellation
from airlock.ledger.chain import ChainReport, Event, check, link
from airlock.ledger.decisions import Decisions
from airlock.ledger.deliveries import Deliveries
from airlock.ledger.models import EventRow, InstanceRow, InstanceState, TransferRow, TransferState
from airlock.ledger.statuses import Statuses
from airlock.ledger.update import InstanceUpdate


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


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger(Decisions, Cancellation, Deliveries):
    """The ledger database.

    :param url: SQLAlchemy URL; SQLite and PostgreSQL are tested. Tables are made or migrated by
        :func:`airlock.database.upgrade`.
    """

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    # Transfers

    def register(self, transfer_id: str, arrived_at: datetime | None = None, project: str | None = None) -> bool:
        """Note that a request arrived. Return False when it was already known."""
        row = TransferRow(
            id=transfer_id, project=project, state=TransferState.REQUESTED, arrived_at=arrived_at or _now()
        )
        try:
            with self._begin() as session:
                session.add(row)
        except IntegrityError:
            return False
        return True

    def claim(self, transfer_id: str, run_id: str) -> TransferState:
        """Make a DAG run the owner of a transfer; return the state it was in.

        :raises DuplicateRequest: when another run owns it.
        """
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id, with_for_update=True)
            if row.run_id is not None and row.run_id != run_id:
                raise DuplicateRequest(
                    f"This transfer already belongs to the run {row.run_id}. To do it again, clear that run."
                )
            before, row.run_id, row.started_at = row.state, run_id, _now()
            self._run(session, row)
            return before

    def restart(self, transfer_id: str) -> None:
        """Begin a new attempt: what the earlier one knew of the instances is forgotten, its events stay."""
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id)
            row.attempt, row.expected = row.attempt + 1, None
            session.query(InstanceRow).filter_by(transfer_id=transfer_id).delete()

    def describe(self, transfer_id: str, **columns: Any) -> None:
        """Set `project`, `policy_digest`, `expected` or `message` of a transfer."""
        with self._begin() as session:
            session.execute(update(TransferRow).where(TransferRow.id == transfer_id).values(**columns))

    def move(self, transfer_id: str, state: TransferState, message: str = "") -> None:
        """Move a transfer to another state.

        :raises NotPossibleNow: when its present state does not lead there.
        """
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id, with_for_update=True)
            if not row.state.may_become(state):
                raise NotPossibleNow(
                    f"The transfer is {row.state}; from there it cannot become {state}. Start it again instead: clear "
                    "its run, or use the DAG redrive."
                )
            self._change_state(session, row, state)
            row.message, row.finished_at = message, _now() if state.ended else None

    @classmethod
    def _run(cls, session: Session, row: TransferRow) -> None:
        cls._change_state(session, row, TransferState.RUNNING)
        row.message, row.finished_at = "", None

    @classmethod
    def _change_state(cls, session: Session, row: TransferRow, state: TransferState) -> None:
        if row.state is not state:
            cls._append(session, row, "ledger", "state", {"before": row.state.value, "after": state.value})
            row.state = state

    def find(self, transfer_id: str) -> TransferSummary | None:
        """Return a transfer with its counts, or None."""
        with self._begin() as session:
            row = session.get(TransferRow, transfer_id)
            return None if row is None else self._summary(row, self._counts(session, transfer_id))

    def transfers(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        states: Collection[TransferState] | None = None,
        finished_since: datetime | None = None,
    ) -> list[TransferSummary]:
        """Return the transfers whose request arrived in `[since, until)`, oldest first.

        :param states: only those in one of them.
        :param finished_since: only those that ended then or later.
        """
        query = select(TransferRow).order_by(TransferRow.arrived_at, TransferRow.id).limit(limit)
        if since is not None:
            query = query.where(TransferRow.arrived_at >= since)
        if until is not None:
            query = query.where(TransferRow.arrived_at < until)
        if states is not None:
            query = query.where(TransferRow.state.in_(states))
        if finished_since is not None:
            query = query.where(TransferRow.finished_at >= finished_since)
        with self._begin() as session:
            return [self._summary(row, self._counts(session, row.id)) for row in session.scalars(query)]

    @staticmethod
    def _summary(row: TransferRow, counts: Counts) -> TransferSummary:
        names = [f.name for f in fields(TransferSummary) if f.name != "counts"]
        return TransferSummary(**{name: getattr(row, name) for name in names}, counts=counts)

    # Instances

    def counts(self, transfer_id: str) -> Counts:
        """Count the instances of a transfer by state."""
        with self._begin() as session:
            return self._counts(session, transfer_id)

    @staticmethod
    def _counts(session: Session, transfer_id: str) -> Counts:
        query = (
            select(InstanceRow.state, func.count(), func.coalesce(func.sum(InstanceRow.boxes), 0))
            .where(InstanceRow.transfer_id == transfer_id)
            .group_by(InstanceRow.state)
        )
        rows = session.execute(query).all()
        by_state = {state: count for state, count, _ in rows}
        return Counts(
            received=sum(by_state.values()),
            sent=by_state.get(InstanceState.SENT, 0),
            skipped=by_state.get(InstanceState.SKIPPED, 0),
            held=by_state.get(InstanceState.HELD, 0),
            boxes=sum(boxes for *_, boxes in rows),
        )

    def instances(self, transfer_id: str, *states: InstanceState) -> list[InstanceUpdate]:
        """Return the instances of a transfer, all or those in the given states, in order of id."""
        query = select(InstanceRow).where(InstanceRow.transfer_id == transfer_id).order_by(InstanceRow.id)
        if states:
            query = query.where(InstanceRow.state.in_(states))
        names = [f.name for f in fields(InstanceUpdate)]
        with self._begin() as session:
            return [InstanceUpdate(**{name: getattr(row, name) for name in names}) for row in session.scalars(query)]

    def record(self, transfer_id: str, updates: Iterable[InstanceUpdate]) -> None:
        """Write what a step found out, in one transaction. Instances that are not known yet are added as received.

        :raises Cancelled: within :meth:`stopping`, once it is written, when the transfer is to stop.
        """
        pending = list(updates)
        with self._begin() as session:
            for start in range(0, len(pending), 500):
                chunk = {u.id: u for u in pending[start : start + 500]}
                query = select(InstanceRow).where(InstanceRow.transfer_id == transfer_id, InstanceRow.id.in_(chunk))
                rows = {row.id: row for row in session.scalars(query)}
                for instance_id, change in chunk.items():
                    row = rows.get(instance_id)
                    if row is None:
                        row = InstanceRow(transfer_id=transfer_id, id=instance_id, state=InstanceState.RECEIVED)
                        session.add(row)
                    for name, value in change.values().items():
                        setattr(row, name, value)
        self._stop_if_asked(transfer_id)

    def hold_open(self, transfer_id: str, reason: str) -> None:
        """Hold every instance that is neither sent, skipped nor held, so that the sum is whole at every ending.

        What state each was in is remembered for :meth:`resume`.
        """
        open_states = (InstanceState.RECEIVED, InstanceState.READY, InstanceState.ACKNOWLEDGED)
        query = update(InstanceRow).where(InstanceRow.transfer_id == transfer_id, InstanceRow.state.in_(open_states))
        with self._begin() as session:
            session.execute(query.values(resume_state=InstanceRow.state, state=InstanceState.HELD, reason=reason))

    def resume(self, transfer_id: str) -> None:
        """Undo :meth:`hold_open`: a step of a failed transfer was started again."""
        query = update(InstanceRow).where(InstanceRow.transfer_id == transfer_id, InstanceRow.resume_state.is_not(None))
        with self._begin() as session:
            session.execute(query.values(state=InstanceRow.resume_state, resume_state=None, reason=""))
            self._run(session, session.get_one(TransferRow, transfer_id, with_for_update=True))

    # Events

    def event(self, transfer_id: str, step: str, kind: str, **detail: Any) -> None:
        """Append an event. `detail` holds ids and counts only."""
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id, with_for_update=True)
            self._append(session, row, step, kind, detail)

    @staticmethod
    def _append(session: Session, row: TransferRow, step: str, kind: str, detail: dict[str, Any]) -> None:
        at, told = _now(), json.loads(json.dumps(detail))
        digest = link(row.chain_head, row.id, at, step, kind, told)
        session.add(EventRow(transfer_id=row.id, at=at, step=step, kind=kind, detail=told, digest=digest))
        row.chain_length, row.chain_head = row.chain_length + 1, digest

    def events(self, transfer_id: str) -> list[tuple[datetime, str, str, dict[str, Any]]]:
        """Return the events of a transfer, oldest first, as (at, step, kind, detail)."""
        return [(event.at, event.step, event.kind, event.detail) for event in self.history(transfer_id)]

    def history(self, transfer_id: str) -> list[Event]:
        """Return the events of a transfer with their digests, oldest first."""
        with self._begin() as session:
            return self._history(session, transfer_id)

    def verify_chain(self, transfer_id: str) -> ChainReport:
        """Say whether the events of a transfer are those that were written."""
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id)
            return check(transfer_id, self._history(session, transfer_id), row.chain_length, row.chain_head)

    @staticmethod
    def _history(session: Session, transfer_id: str) -> list[Event]:
        query = select(EventRow).where(EventRow.transfer_id == transfer_id).order_by(EventRow.id)
        names = [f.name for f in fields(Event)]
        return [Event(**{name: getattr(row, name) for name in names}) for row in session.scalars(query)]

    # Statuses that REDCap must be told

    @property
    def statuses(self) -> Statuses:
        """The outbox of statuses."""
        return Statuses(self._engine)
