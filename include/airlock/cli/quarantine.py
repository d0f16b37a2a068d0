"""`airlock quarantine`: what is held, and what becomes of it."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airlock.deliver.comments import comments
from airlock.errors import InvalidRequest
from airlock.ledger import Ledger
from airlock.screen.quarantine import Held, drop, held, release
from airlock.settings import load_settings
from airlock.transfer import open_ledger, workspace_of


@click.group("quarantine")
def command() -> None:
    """Show held instances, let them go on, or leave them out.

    Only pseudonymous ids, categories and reasons are shown; what is decided is written into the ledger.
    """


@command.command("list")
@click.argument("transfer", required=False)
@click.option("--category", help="Only this category, such as Missing_Attributes.")
@click.option("--days", default=30.0, show_default=True, help="Of the transfers requested in this many days.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_held(transfer: str | None, category: str | None, days: float, as_json: bool) -> None:
    """List what is held, of TRANSFER or of all transfers of the last days."""
    ledger = open_ledger(load_settings())
    since = datetime.now(UTC) - timedelta(days=days)
    ids = [transfer] if transfer else [summary.id for summary in ledger.transfers(since=since) if summary.counts.held]
    found = held(ledger, ids, category)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    table = Table("Transfer", "Instance", "Category", "Reason", box=None, pad_edge=False)
    for one in found:
        table.add_row(one.transfer, one.id, one.category, Text(one.reason, overflow="fold"))
    console = Console()
    if found:
        (console if console.is_terminal else Console(width=250)).print(table)
    counts = Counter(one.category for one in found)
    click.echo(", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "Nothing is held.")


@command.command("release")
@click.argument("transfer")
@click.argument("instances", nargs=-1)
@click.option("--category", help="All of this category.")
@click.option("--all", "everything", is_flag=True, help="All that is held.")
def release_held(transfer: str, instances: tuple[str, ...], category: str | None, everything: bool) -> None:
    """Let INSTANCES of TRANSFER go on.

    What screening says of them is then passed over. Files that can't be read stay held, text in pixels is still
    searched for, and outputs are still verified.
    """
    settings = load_settings()
    ledger = open_ledger(settings)
    chosen = _chosen(ledger, transfer, instances, category, everything)
    count = release(ledger, workspace_of(transfer, settings), transfer, chosen, getpass.getuser())
    click.echo(f"{count} released. Clear the task screen_instances of this transfer's run, with those after it.")


@command.command("drop")
@click.argument("transfer")
@click.argument("instances", nargs=-1)
@click.option("--category", help="All of this category.")
@click.option("--all", "everything", is_flag=True, help="All that is held.")
def drop_held(transfer: str, instances: tuple[str, ...], category: str | None, everything: bool) -> None:
    """Leave INSTANCES of TRANSFER out; they count as skipped."""
    ledger = open_ledger(load_settings())
    chosen = _chosen(ledger, transfer, instances, category, everything)
    count = drop(ledger, transfer, chosen, getpass.getuser())
    click.echo(f"{count} dropped. If the transfer failed, clear its failed task to go on without them.")


@command.command("comments")
@click.argument("transfer")
def show_comments(transfer: str) -> None:
    """Show what the destinations of TRANSFER said when they refused an instance, or took it with a warning.

    These are their own words, and MAY NAME THE PATIENT: they are kept in the transfer's workspace only, and go with it.
    """
    found = comments(workspace_of(transfer, load_settings()))
    table = Table("Destination", "Instance", "Status", "Comment", box=None, pad_edge=False)
    for one in found.values():
        table.add_row(Text(one.destination), one.instance, f"0x{one.status:04X}", Text(one.text))
    console = Console()
    (console if console.is_terminal else Console(width=250)).print(table if found else "No destination said anything.")


def _chosen(
    ledger: Ledger, transfer: str, instances: tuple[str, ...], category: str | None, everything: bool
) -> list[str]:
    """Return the ids of the held instances that a command line means.

    :raises InvalidRequest: when one of those named is not held, or none is.
    """
    if sum((bool(instances), category is not None, everything)) != 1:
        raise click.UsageError("Name instances, or --category, or --all.")
    found: list[Held] = held(ledger, [transfer], category)
    ids = [one.id for one in found]
    if unknown := sorted(set(instances) - set(ids)):
        raise InvalidRequest(f"{len(unknown)} of these instances are not held in this transfer. Nothing was changed.")
    if not ids:
        raise InvalidRequest("Nothing of this is held in this transfer.")
    return list(instances) if instances else ids
