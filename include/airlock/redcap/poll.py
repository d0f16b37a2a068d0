"""Transfers that were asked for in REDCap: rows of the `transfers` instrument without a `transfer_date`.

FIONA asks REDCap for them every minute and writes a request file for each. Here they become the same requests, entered
into the ledger at once. A transfer whose row lost its date again, after REDCap was told its ending, is asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airlock.errors import InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.ledger import Ledger, TransferState
from airlock.redcap.client import RedcapClient, Row
from airlock.redcap.step import RECORD_FIELD, Outcome, rename, status_fields
from airlock.request.model import TransferRequest, validate_request

INSTRUMENT = "transfers"
REQUEST_FIELDS = (
    RECORD_FIELD,
    "transfer_requested_date",
    "transfer_project_name",
    "transfer_name",
    "transfer_event_name",
    "transfer_date",
)


@dataclass(frozen=True)
class Wanted:
    """A transfer that REDCap asks for.

    :param again: it ended before, REDCap was told, and somebody cleared the date of its row.
    """

    request: TransferRequest
    content: str
    transfer_id: str
    again: bool


@dataclass(frozen=True)
class Poll:
    """What REDCap asks for now.

    :param refused: rows that are no valid request; REDCap was told why.
    """

    wanted: list[Wanted]
    refused: int


def poll(client: RedcapClient, ledger: Ledger, keys: KeyRing, names: Mapping[str, str] | None = None) -> Poll:
    """Ask REDCap which transfers it waits for; those that are under way are left out.

    :param names: the deployment's names of FIONA's fields, as in a policy's `redcap.fields`.
    :raises PeerUnavailable: when REDCap does not answer.
    :raises StatusRefused: when it refuses.
    """
    names = dict(names or {})
    # Before REDCap is asked: what it is told from now on may or may not be in its answer.
    told_before = _told(ledger)
    ours = {names.get(name, name): name for name in REQUEST_FIELDS}
    rows = client.export_records(fields=[*ours], forms=[])
    wanted, refused = [], []
    for row in rows:
        document = {ours.get(name, name): value for name, value in row.items()}
        if not _is_asked_for(document):
            continue
        try:
            found = _wanted(document, ledger, keys, told_before)
        except InvalidRequest as error:
            refused.append(_refusal(document, str(error)))
        else:
            wanted += [found] if found is not None else []
    if refused:
        client.import_records([rename(row, names) for row in refused])
    return Poll(sorted(wanted, key=lambda w: str(json.loads(w.content).get("transfer_requested_date"))), len(refused))


def _told(ledger: Ledger) -> Callable[[str], bool]:
    """Return whether a transfer has ended and REDCap was told, as of now."""
    owed = {status.transfer_id for status in ledger.statuses.owed()}
    ended = {summary.id for summary in ledger.transfers() if summary.state.ended}
    return lambda transfer_id: transfer_id in ended and transfer_id not in owed


def _is_asked_for(document: Row) -> bool:
    """Whether somebody filled in a row of the instrument, and it has not been carried out."""
    given = [str(document.get(name) or "").strip() for name in ("transfer_project_name", "transfer_name")]
    is_row = document.get("redcap_repeat_instrument") == INSTRUMENT
    return is_row and all(given) and not str(document.get("transfer_date") or "").strip()


def _wanted(document: Row, ledger: Ledger, keys: KeyRing, told: Callable[[str], bool]) -> Wanted | None:
    """Return what a row asks for; None when its transfer is under way, or REDCap has yet to be told of its end.

    :raises InvalidRequest: when it is no valid request.
    """
    request = validate_request(document)
    transfer_id = request.transfer_id(keys)
    content = json.dumps(document, indent=2, sort_keys=True)
    summary = ledger.find(transfer_id)
    if summary is None or (summary.run_id is None and summary.state is TransferState.REQUESTED):
        return Wanted(request, content, transfer_id, again=False)
    return Wanted(request, content, transfer_id, again=True) if told(transfer_id) else None


def _refusal(document: Row, reason: str) -> dict[str, Any]:
    outcome = Outcome(TransferState.REFUSED, reason)
    key = {name: document[name] for name in (RECORD_FIELD, "redcap_repeat_instrument", "redcap_repeat_instance")}
    return key | status_fields(outcome, datetime.now(UTC).astimezone())
