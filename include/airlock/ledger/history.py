"""What happened to a transfer: its events, each with the digest of all before it."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from airlock.ledger.chain import ChainReport, Event, check
from airlock.ledger.models import EventRow, TransferRow
from airlock.ledger.seal import check_seal
from airlock.ledger.store import Store


class History(Store):
    """The part of the ledger that keeps events."""

    def event(self, transfer_id: str, step: str, kind: str, **detail: Any) -> None:
        """Append an event. `detail` holds ids and counts only."""
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id, with_for_update=True)
            self._append(session, row, step, kind, detail)

    def events(self, transfer_id: str) -> list[tuple[datetime, str, str, dict[str, Any]]]:
        """Return the events of a transfer, oldest first, as (at, step, kind, detail)."""
        return [(event.at, event.step, event.kind, event.detail) for event in self.history(transfer_id)]

    def history(self, transfer_id: str) -> list[Event]:
        """Return the events of a transfer with their digests, oldest first."""
        with self._begin() as session:
            return self._history(session, transfer_id)

    def verify_chain(self, transfer_id: str) -> ChainReport:
        """Say whether the events of a transfer, and what its rows say at its end, are those that were written."""
        with self._begin() as session:
            row = session.get_one(TransferRow, transfer_id)
            events = self._history(session, transfer_id)
            report = check(transfer_id, events, row.chain_length, row.chain_head)
            return report if report.problem else check_seal(session, row, events, report)

    @staticmethod
    def _history(session: Session, transfer_id: str) -> list[Event]:
        query = select(EventRow).where(EventRow.transfer_id == transfer_id).order_by(EventRow.id)
        names = [f.name for f in fields(Event)]
        return [Event(**{name: getattr(row, name) for name in names}) for row in session.scalars(query)]
