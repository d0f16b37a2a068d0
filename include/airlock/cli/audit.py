"""`airlock audit`: what can be proven of a transfer, and whether its history was changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from airlock.cli import HELD
from airlock.errors import InvalidRequest
from airlock.report.audit import as_html, audit
from airlock.request.store import RequestStore
from airlock.settings import load_settings
from airlock.transfer import open_ledger
from airlock.workspace import write_atomically


@click.group("audit")
def command() -> None:
    """Show what can be proven of transfers."""


@command.command("report")
@click.argument("transfer")
@click.option("--html", "html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page to this file.")
@click.option(
    "--json", "as_json", type=click.Path(path_type=Path, dir_okay=False), help="Write the facts to this file."
)
def report(transfer: str, html: Path | None, as_json: Path | None) -> None:
    """Tell everything that the ledger knows of TRANSFER. It holds no patient data. Without options: JSON."""
    facts = audit(open_ledger(load_settings()), transfer)
    text = json.dumps(facts, indent=2)
    if html is not None:
        write_atomically(html, as_html(facts))
    if as_json is not None:
        write_atomically(as_json, text + "\n")
    if html is None and as_json is None:
        click.echo(text)


@command.command("verify")
@click.argument("transfer", required=False)
@click.option("--days", default=36500.0, help="Only the transfers that were requested in this many days.")
@click.option("--head", help="Digest of the last event, as it was noted elsewhere.")
def verify(transfer: str | None, days: float, head: str | None) -> int:
    """Check that the history of TRANSFER, or of all, is the one that was written. Exit status 3 when it is not.

    That are its events, and the states of the transfer and of its instances when it ended. For all, each request that
    is kept must have its transfer: one that was removed from the ledger is named.

    With --head, the history must also contain the event that was the last one when its digest was noted.
    """
    settings = load_settings()
    ledger = open_ledger(settings)
    lost: list[str] = []
    if transfer is not None:
        if ledger.find(transfer) is None:
            raise InvalidRequest("The ledger knows no such transfer. `airlock status` lists the latest ones.")
        ids = [transfer]
    else:
        ids = [summary.id for summary in ledger.transfers(since=datetime.now(UTC) - timedelta(days=days))]
        lost = [name for name in RequestStore(settings.proc_folder).known() if ledger.find(name) is None]
    console, wrong = Console(soft_wrap=True), len(lost)
    for transfer_id in lost:
        console.print(Text(f"{transfer_id}: its request is kept, and the ledger has no such transfer", "bold red"))
    for transfer_id in ids:
        report = ledger.verify_chain(transfer_id)
        problem = report.problem
        if not problem and head and head not in {event.digest for event in ledger.history(transfer_id)}:
            problem = "the noted digest is none of its events'"
        wrong += bool(problem)
        if problem or transfer is not None:
            told = problem or f"unchanged: {report.events} events, the last one's digest is {report.head}"
            console.print(Text(f"{transfer_id}: {told}", "bold red" if problem else "green"))
    console.print(f"{len(ids) + len(lost)} transfers, {wrong} changed")
    return HELD if wrong else 0
