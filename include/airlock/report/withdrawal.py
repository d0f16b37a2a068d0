"""A transfer is taken back: what the research PACS must delete is listed, and REDCap is told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from airlock.deliver.withdraw import withdraw
from airlock.errors import RefusedError
from airlock.ledger import Ledger, TransferState
from airlock.project import find_policy
from airlock.redcap.outbox import owe
from airlock.redcap.step import Outcome
from airlock.request.store import RequestStore
from airlock.settings import Settings


def take_back(
    ledger: Ledger, settings: Settings, transfer_id: str, out: Path | None = None, *, by: str, force: bool = False
) -> tuple[int, Path]:
    """Withdraw a transfer; raises and does as :func:`airlock.deliver.withdraw.withdraw`, and REDCap is told.

    :param by: account of the person who takes it back.
    :param out: list of what the PACS must delete; by default `AIRLOCK_HOME/withdrawn/<transfer id>.csv`.
    :return: how many instances that are, and the list.
    """
    target = out or settings.home / "withdrawn" / f"{Path(transfer_id).name}.csv"
    count = withdraw(ledger, settings, transfer_id, target, force=force)
    ledger.event(transfer_id, "request", "withdraw", by=by)
    with suppress(RefusedError):  # no request is kept, or its project has no policy any more: nobody to tell
        request = RequestStore(settings.proc_folder).get(transfer_id).request
        policy = find_policy(settings.projects, request.transfer_project_name)
        if policy.redcap is not None and request.study_instance_uid and not request.options.dry_run:
            owe(ledger, transfer_id, Outcome(TransferState.WITHDRAWN, "Withdrawn by the research-imaging team."))
    return count, target
