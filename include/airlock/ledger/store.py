"""The ledger's database: transactions, the chain of events, and changes of state. The parts of the ledger share it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from airlock.database import connect
from airlock.ledger.chain import link
from airlock.ledger.models import EventRow, TransferRow, TransferState
from airlock.ledger.seal import SEALED, digest_of


class Store:
    """A ledger database.

    :param url: SQLAlchemy URL; SQLite and PostgreSQL are tested. Tables are made or migrated by
        :func:`airlock.database.upgrade`.
    """

    def __init__(self, url: str) -> None:
        self._engine = connect(url)

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    @staticmethod
    def _append(session: Session, row: TransferRow, step: str, kind: str, detail: dict[str, Any]) -> None:
        at, told = datetime.now(UTC), json.loads(json.dumps(detail))
        digest = link(row.chain_head, row.id, at, step, kind, told)
        session.add(EventRow(transfer_id=row.id, at=at, step=step, kind=kind, detail=told, digest=digest))
        row.chain_length, row.chain_head = row.chain_length + 1, digest

    @classmethod
    def _run(cls, session: Session, row: TransferRow) -> None:
        cls._change_state(session, row, TransferState.RUNNING)
        row.message, row.finished_at = "", None

    @classmethod
    def _change_state(cls, session: Session, row: TransferRow, state: TransferState) -> None:
        if row.state is not state:
            cls._append(session, row, "ledger", "state", {"before": row.state.value, "after": state.value})
            row.state = state

    @classmethod
    def _seal(cls, session: Session, row: TransferRow) -> None:
        """Note what the ledger says of a transfer that has ended; to be called last in a transaction."""
        if row.state.ended:
            session.flush()
            cls._append(session, row, "ledger", SEALED, {"digest": digest_of(session, row)})
