"""What became of each instance of a transfer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from airlock.ledger.cancellation import Cancellation
from airlock.ledger.facts import Counts
from airlock.ledger.models import InstanceRow, InstanceState, TransferRow
from airlock.ledger.update import InstanceUpdate


class Instances(Cancellation):
    """The part of the ledger that has a row per instance."""

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
            self._seal(session, session.get_one(TransferRow, transfer_id))
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
