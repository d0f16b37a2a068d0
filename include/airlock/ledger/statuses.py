"""The outbox: statuses that REDCap must be told, kept until it has confirmed them.

A transfer has one status at a time, the newest; one that was not told in time is replaced by what came after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from airlock.ledger.models import StatusRow


@dataclass(frozen=True)
class OwedStatus:
    """A status that REDCap has not confirmed.

    :param outcome: as `airlock.redcap.outbox` wrote it.
    :param attempts: how often it was tried.
    :param problem: why the last try failed, free of patient data.
    """

    transfer_id: str
    outcome: dict[str, Any]
    decided_at: datetime
    attempts: int
    next_at: datetime
    problem: str


class Statuses:
    """Access to the outbox of a ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def owe(self, transfer_id: str, outcome: dict[str, Any]) -> None:
        """Note that REDCap must be told this, in place of whatever it was owed before."""
        try:
            self._owe(transfer_id, outcome)
        except IntegrityError:
            # Another process was first to owe anything of this transfer; now there is a row to change.
            self._owe(transfer_id, outcome)

    def _owe(self, transfer_id: str, outcome: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        with Session(self._engine) as session, session.begin():
            row = session.get(StatusRow, transfer_id, with_for_update=True) or StatusRow(transfer_id=transfer_id)
            row.outcome, row.decided_at, row.next_at = outcome, now, now
            row.delivered_at, row.attempts, row.problem = None, 0, ""
            session.add(row)

    def owed(self, transfer_id: str | None = None, due: datetime | None = None) -> list[OwedStatus]:
        """Return what was not confirmed yet, oldest first.

        :param transfer_id: only that transfer's.
        :param due: only what may be tried at this time.
        """
        query = select(StatusRow).where(StatusRow.delivered_at.is_(None)).order_by(StatusRow.decided_at)
        if transfer_id is not None:
            query = query.where(StatusRow.transfer_id == transfer_id)
        if due is not None:
            query = query.where(StatusRow.next_at <= due)
        with Session(self._engine) as session, session.begin():
            return [
                OwedStatus(row.transfer_id, row.outcome, row.decided_at, row.attempts, row.next_at, row.problem)
                for row in session.scalars(query)
            ]

    def confirmed(self, status: OwedStatus) -> None:
        """Note that REDCap has a status. A newer one of the same transfer is owed, even if it was told meanwhile.

        What two processes tell at the same time may arrive in the wrong order.
        """
        if not self._change(status, delivered_at=datetime.now(UTC), attempts=status.attempts + 1, problem=""):
            self._reopen(status.transfer_id)

    def postpone(self, status: OwedStatus, problem: str, next_at: datetime) -> None:
        """Note why REDCap could not be told, and when to try again. It may have been told all the same."""
        if not self._change(status, attempts=status.attempts + 1, problem=problem, next_at=next_at):
            self._reopen(status.transfer_id)

    def _change(self, status: OwedStatus, **columns: Any) -> bool:
        same = (StatusRow.transfer_id == status.transfer_id, StatusRow.decided_at == status.decided_at)
        with Session(self._engine) as session, session.begin():
            result = session.execute(update(StatusRow).where(*same).values(**columns))
            return bool(cast(CursorResult[Any], result).rowcount)

    def _reopen(self, transfer_id: str) -> None:
        with Session(self._engine) as session, session.begin():
            session.execute(update(StatusRow).where(StatusRow.transfer_id == transfer_id).values(delivered_at=None))
