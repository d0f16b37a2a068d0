"""Ledger: every number that anyone reads is counted from here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from airlock.errors import DuplicateRequest, NotPossibleNow
from airlock.ledger.asked import ASKED, ASKED_STEP, Asked
from airlock.ledger.decisions import Decisions
from airlock.ledger.deliveries import Deliveries
from airlock.ledger.facts import Counts, Page, TransferSummary
from airlock.ledger.history import History
from airlock.ledger.instances import Instances
from airlock.ledger.models import InstanceRow, TransferRow, TransferState
from airlock.ledger.statuses import Statuses


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger(Instances, Deliveries, Decisions, History):
    """The ledger database.

    :param url: SQLAlchemy URL; SQLite and PostgreSQL are tested. Tables are made or migrated by
        :func:`airlock.database.upgrade`.
    """

    def register(
        self,
        transfer_id: str,
        arrived_at: datetime | None = None,
        project: str | None = None,
        asked: Asked | None = None,
    ) -> bool:
        """Note that a request arrived. Return False when it was already known.

        :param asked: who asked for it, and by which door; the first event of the transfer.
        """
        row = TransferRow(
            id=transfer_id, project=project, state=TransferState.REQUESTED, arrived_at=arrived_at or _now()
        )
        try:
            with self._begin() as session:
                session.add(row)
                session.flush()
                if asked is not None:
                    self._append(session, row, ASKED_STEP, ASKED, asked.detail)
        except IntegrityError:
            return False
        return True

    def note_asked(self, transfer_id: str, asked: Asked) -> None:
        """Note that a transfer that is known was asked for once more."""
        self.event(transfer_id, ASKED_STEP, ASKED, **asked.detail)

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
            # What is taken back later had ended then: how long it took is counted until there.
            ended = row.finished_at if state is TransferState.WITHDRAWN else None
            row.message, row.finished_at = message, ended or (_now() if state.ended else None)
            self._seal(session, row)

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

    def page(
        self, since: datetime, project: str = "", state: TransferState | None = None, part: slice = slice(100)
    ) -> Page:
        """Return one page of the transfers whose request arrived since a time, the latest first, and what there is.

        Only its instances are counted: it is asked for every few seconds, by whoever looks.

        :param project: only that project's; empty for all.
        :param state: only those in this state.
        """
        recent = TransferRow.arrived_at >= since
        of_project = (recent, TransferRow.project == project) if project else (recent,)
        matching = (*of_project, TransferRow.state == state) if state else of_project
        latest = select(TransferRow).where(*matching).order_by(TransferRow.arrived_at.desc(), TransferRow.id.desc())
        states = select(TransferRow.state, func.count().label("number")).where(*of_project).group_by(TransferRow.state)
        projects = select(TransferRow.project).where(recent, TransferRow.project.is_not(None)).distinct()
        start = part.start or 0
        with self._begin() as session:
            rows = list(session.scalars(latest.offset(start).limit(part.stop - start)))
            by_state = {row.state: row.number for row in session.execute(states)}
            return Page(
                [self._summary(row, self._counts(session, row.id)) for row in rows],
                by_state.get(state, 0) if state else sum(by_state.values()),
                by_state,
                sorted(name for name in session.scalars(projects) if name),
            )

    @staticmethod
    def _summary(row: TransferRow, counts: Counts) -> TransferSummary:
        names = [f.name for f in fields(TransferSummary) if f.name != "counts"]
        return TransferSummary(**{name: getattr(row, name) for name in names}, counts=counts)

    @property
    def statuses(self) -> Statuses:
        """The outbox of statuses."""
        return Statuses(self._engine)
