"""Withdrawal: what the destinations must delete is listed, and what is left of the transfer here is removed."""

from __future__ import annotations

import csv
from pathlib import Path

from airlock.deliver.journal import journal_path, unrecorded
from airlock.deliver.reconcile import may_be_there, uids_of
from airlock.dicomio.store import is_stored
from airlock.errors import InvalidRequest, PolicyError
from airlock.ledger import InstanceState, InstanceUpdate, Ledger, TransferState
from airlock.settings import Settings
from airlock.transfer import workspace_of

COLUMNS = ("transfer", "destination", "study_uid", "series_uid", "sop_uid", "sent_at_status")


def withdraw(ledger: Ledger, settings: Settings, transfer_id: str, out: Path, *, force: bool = False) -> int:
    """Withdraw a transfer: list what the destinations must delete, remove the workspace, and say so in the ledger.

    :param out: CSV that is written, of new UIDs; it is there before anything is removed.
    :param force: also when the ledger says that it runs, because its run was cancelled or killed.
    :returns: how many instances are to be deleted; one at two destinations counts twice.
    :raises InvalidRequest: the ledger doesn't know it.
    :raises PolicyError: it is running.
    """
    summary = ledger.find(transfer_id)
    if summary is None:
        raise InvalidRequest("The ledger knows no such transfer. `airlock status` lists the latest ones.")
    if summary.state is TransferState.RUNNING and not force:
        raise PolicyError(
            "The transfer is running. Mark its run as failed in Airflow; when none of its tasks runs any more, use "
            "--force."
        )
    workspace = workspace_of(transfer_id, settings)
    there: list[tuple[str, InstanceUpdate]] = []
    for destination in ledger.destinations(transfer_id):
        # What a killed process had sent is in its journal only.
        left = unrecorded(journal_path(workspace, destination), summary.attempt)
        unsure = [i for i, status in left.answered.items() if is_stored(status)] + left.unanswered
        updates = (InstanceUpdate(i, InstanceState.ACKNOWLEDGED) for i in unsure)
        ledger.record_deliveries(transfer_id, destination, updates, among=())
        there += [(destination, i) for i in ledger.deliveries(transfer_id, destination) if may_be_there(i)]
    _list(out, transfer_id, there)
    ledger.move(transfer_id, TransferState.WITHDRAWN, f"withdrawn; {len(there)} instances to be deleted at the PACS")
    ledger.event(transfer_id, "withdraw", "finished", to_delete=len(there))
    workspace.purge()
    return len(there)


def _list(out: Path, transfer_id: str, there: list[tuple[str, InstanceUpdate]]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for destination, instance in there:
            status = "" if instance.status is None else f"0x{instance.status:04X}"
            writer.writerow((transfer_id, destination, *uids_of(instance), status))
