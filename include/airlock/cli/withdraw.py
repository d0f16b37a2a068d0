"""`airlock withdraw`: take a transfer back, as far as Airlock can."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from airlock.deliver.reconcile import withdraw
from airlock.errors import RefusedError
from airlock.ledger import Ledger, TransferState
from airlock.project import find_policy
from airlock.redcap.outbox import owe
from airlock.redcap.step import Outcome
from airlock.request.store import RequestStore
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger


@click.command("withdraw")
@click.argument("transfer")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="CSV of what the PACS must delete.")
@click.option("--force", is_flag=True, help="Although the ledger says that it runs: its run was cancelled.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def command(transfer: str, out: Path | None, force: bool, yes: bool) -> None:
    """Withdraw TRANSFER: remove its workspace, note it in the ledger, and list what the research PACS must delete.

    Airlock deletes nothing at the PACS. Delete what the list names there; then `airlock reconcile` says that it is
    gone. REDCap is told, where the project has one. Requested again, the transfer begins from the start. Without
    --out, the list goes to AIRLOCK_HOME/withdrawn/TRANSFER.csv.
    """
    settings = load_settings()
    ledger = open_ledger(settings)
    if not yes:
        click.confirm("This removes the transfer's files from the workspace. Go on?", abort=True)
    target = out or settings.home / "withdrawn" / f"{Path(transfer).name}.csv"
    count = withdraw(ledger, settings, transfer, target, force=force)
    _owe_redcap(ledger, settings, transfer)
    click.echo(f"Withdrawn. {count} instances are to be deleted at the research PACS: {target}")


def _owe_redcap(ledger: Ledger, settings: Settings, transfer: str) -> None:
    """Have REDCap told that the transfer is withdrawn, when Airflow next delivers what it is owed."""
    with suppress(RefusedError):  # no request is kept, or its project has no policy any more: nobody to tell
        request = RequestStore(settings.proc_folder).get(transfer).request
        policy = find_policy(settings.projects, request.transfer_project_name)
        if policy.redcap is not None and request.study_instance_uid and not request.options.dry_run:
            owe(ledger, transfer, Outcome(TransferState.WITHDRAWN, "Withdrawn by the research-imaging team."))
