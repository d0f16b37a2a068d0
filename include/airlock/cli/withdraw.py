"""`airlock withdraw`: take a transfer back, as far as Airlock can."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from airlock.report.withdrawal import take_back
from airlock.settings import load_settings
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
    count, target = take_back(ledger, settings, transfer, out, by=getpass.getuser(), force=force)
    click.echo(f"Withdrawn. {count} instances are to be deleted at the research PACS: {target}")
