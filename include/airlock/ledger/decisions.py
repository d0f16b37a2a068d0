"""What people decide about instances that are held."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from airlock.ledger.models import InstanceRow, InstanceState, TransferRow
from airlock.ledger.store import Store


class Decisions(Store):
    """The part of the ledger that writes down decisions."""

    def settle(
        self,
        transfer_id: str,
        instance_ids: Collection[str],
        state: InstanceState,
        reason: str,
        *,
        before: InstanceState = InstanceState.HELD,
    ) -> int:
        """Put instances into a state for good, as far as they are in the state `before`; return how many were.

        Those that :meth:`hold_open` held are not resumed any more.
        """
        ids, count = sorted(instance_ids), 0
        with self._begin() as session:
            for start in range(0, len(ids), 500):
                query = select(InstanceRow).where(
                    InstanceRow.transfer_id == transfer_id,
                    InstanceRow.id.in_(ids[start : start + 500]),
                    InstanceRow.state == before,
                )
                for row in session.scalars(query):
                    row.state, row.reason, row.resume_state = state, reason, None
                    count += 1
            self._seal(session, session.get_one(TransferRow, transfer_id, with_for_update=True))
        return count
