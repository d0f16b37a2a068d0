"""The seal of a transfer that has ended: a digest of what the ledger says of it beside its events.

Events are chained; states, reasons, counts and digests of instances are rows that steps change as they go. When a
transfer ends, an event holds the digest of them all, so that `airlock audit verify` finds what was changed afterwards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from airlock.ledger.chain import ChainReport, Event
from airlock.ledger.models import DeliveryRow, InstanceRow, TransferRow

SEALED = "sealed"
_OF_TRANSFER = ("project", "policy_digest", "state", "message", "expected", "attempt", "arrived_at", "finished_at")
_OF_INSTANCE = (
    "id",
    "state",
    "reason",
    "size",
    "digest",
    "sop_class_uid",
    "sop_instance_uid",
    "path",
    "boxes",
    "status",
)
_OF_DELIVERY = ("instance_id", "destination", "state", "reason", "status")


def digest_of(session: Session, row: TransferRow) -> str:
    """Return the SHA-256, hexadecimal, of a transfer's row and of those of its instances and deliveries."""
    digest = hashlib.sha256()
    _add(digest, [getattr(row, name) for name in _OF_TRANSFER])
    for table, names in ((InstanceRow, _OF_INSTANCE), (DeliveryRow, _OF_DELIVERY)):
        columns = [getattr(table, name) for name in names]
        key = (InstanceRow.id,) if table is InstanceRow else (DeliveryRow.instance_id, DeliveryRow.destination)
        query = select(*columns).where(table.transfer_id == row.id).order_by(*key)
        for values in session.execute(query.execution_options(yield_per=2000)):
            _add(digest, values)
    return digest.hexdigest()


def check_seal(session: Session, row: TransferRow, events: Iterable[Event], report: ChainReport) -> ChainReport:
    """Compare a transfer whose chain is whole with what its events say of it.

    :return: the report, or one with a problem.
    """
    state, seal = "", ""
    for event in events:
        if event.step == "ledger" and event.kind == "state":
            state, seal = str(event.detail["after"]), ""
        elif event.step == "ledger" and event.kind == SEALED:
            seal = str(event.detail["digest"])
    problem = ""
    if state and row.state.value != state:
        problem = f"its events say {state}, its row says {row.state.value}"
    elif seal and digest_of(session, row) != seal:
        problem = "its row, or those of its instances, are not those of its end"
    return ChainReport(report.transfer_id, report.events, report.head, problem) if problem else report


def _add(digest: Any, values: Iterable[Any]) -> None:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    digest.update(json.dumps(plain, separators=(",", ":")).encode() + b"\n")
