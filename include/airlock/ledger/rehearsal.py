"""Has SQLAlchemy compile what every task asks of the ledger, before tasks are forked: each would do it anew."""

from __future__ import annotations

from sqlalchemy import Connection

from airlock.database import connect
from airlock.ledger.ledger import Ledger
from airlock.ledger.models import InstanceState, TransferState
from airlock.ledger.update import InstanceUpdate

_NOBODY = "rehearsal"


def rehearse(url: str) -> None:
    """Write and read a transfer that never was, in a transaction that is rolled back.

    An engine remembers what it has compiled, and a fork inherits the engine; the connection is closed before.
    """
    engine = connect(url)
    with engine.connect() as connection, connection.begin() as transaction:
        _play(_Rehearsal(url, connection))
        transaction.rollback()
    engine.dispose()


class _Rehearsal(Ledger):
    """A ledger within a transaction of somebody else, who alone ends it."""

    def __init__(self, url: str, connection: Connection) -> None:
        super().__init__(url)
        # A session of a connection that is within a transaction leaves it open.
        self._engine = connection  # type: ignore[assignment]  # sessions and statements take either


def _play(ledger: Ledger) -> None:
    ledger.register(_NOBODY)
    ledger.claim(_NOBODY, _NOBODY)
    ledger.describe(_NOBODY, project=_NOBODY, policy_digest="")
    ledger.record(_NOBODY, [InstanceUpdate(_NOBODY, state=InstanceState.READY)])
    ledger.resume(_NOBODY)
    ledger.event(_NOBODY, _NOBODY, "started")
    ledger.instances(_NOBODY)
    ledger.instances(_NOBODY, InstanceState.READY)
    ledger.counts(_NOBODY)
    ledger.events(_NOBODY)
    ledger.consign(_NOBODY, [_NOBODY])
    ledger.deliveries(_NOBODY, _NOBODY)
    ledger.destinations(_NOBODY)
    ledger.move(_NOBODY, TransferState.FAILED)
    ledger.find(_NOBODY)
    ledger.statuses.owe(_NOBODY, {})
    ledger.statuses.owed(_NOBODY)
