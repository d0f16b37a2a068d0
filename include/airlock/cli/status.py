"""`airlock status`: what became of the transfers, counted from the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airlock.errors import InvalidRequest
from airlock.ledger import Ledger, TransferState, TransferSummary
from airlock.settings import load_settings
from airlock.transfer import open_ledger

STYLES = {
    TransferState.RUNNING: "cyan",
    TransferState.REVIEW: "yellow",
    TransferState.HELD: "yellow",
    TransferState.FAILED: "red",
    TransferState.REFUSED: "red",
    TransferState.SENT: "green",
}

TIMES = ("arrived_at", "started_at", "finished_at")
LEFT_TO_THE_REPORT = ("rules", "versions")
"""What fills a screen; `airlock audit report` has it."""


@click.command("status")
@click.argument("transfer", required=False)
@click.option("--days", default=7.0, show_default=True, help="Show the transfers requested in this many days.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(transfer: str | None, days: float, as_json: bool) -> None:
    """Show the transfers of the last days, or TRANSFER with everything that happened to it."""
    ledger = open_ledger(load_settings())
    if transfer is None:
        _list(ledger.transfers(since=datetime.now(UTC) - timedelta(days=days)), as_json)
    else:
        _detail(ledger, transfer, as_json)


def _list(transfers: list[TransferSummary], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([facts(summary) for summary in transfers], indent=2))
        return
    table = Table("Transfer", "Project", "State", "Requested", box=None, pad_edge=False)
    for name in ("In", "Sent", "Skipped", "Held", "Boxes"):
        table.add_column(name, justify="right")
    table.add_column("Message", overflow="fold")
    for summary in transfers:
        counts = summary.counts
        numbers = (counts.received, counts.sent, counts.skipped, counts.held, counts.boxes)
        table.add_row(
            Text(summary.id, overflow="fold"),
            Text(summary.project or ""),
            Text(summary.state.value, STYLES.get(summary.state, "")),
            f"{summary.arrived_at.astimezone():%Y-%m-%d %H:%M %Z}",
            *map(str, numbers),
            Text(summary.message),
        )
    _console().print(table if transfers else "No transfer was requested in this time.")


def _detail(ledger: Ledger, transfer_id: str, as_json: bool) -> None:
    """Print one transfer.

    :raises InvalidRequest: when the ledger does not know it.
    """
    summary = ledger.find(transfer_id)
    if summary is None:
        raise InvalidRequest("The ledger knows no such transfer. `airlock status` lists the latest ones.")
    events = ledger.events(transfer_id)
    if as_json:
        listed = [{"at": at.isoformat(), "step": step, "kind": kind, **detail} for at, step, kind, detail in events]
        owed = [status.problem for status in ledger.statuses.owed(transfer_id)]
        where = {"destinations": ledger.destinations(transfer_id), "events": listed, "redcap_owed": owed}
        click.echo(json.dumps(facts(summary) | where, indent=2))
        return
    console = _console()
    times = {name: _moment(getattr(summary, name)) for name in TIMES}
    for name, value in (facts(summary) | times).items():
        console.print(Text(f"{name.replace('_', ' ').capitalize():<12} {'' if value is None else value}"))
    for name, states in ledger.destinations(transfer_id).items():
        console.print(Text(f"{name or 'not noted'}: " + ", ".join(f"{n} {state}" for state, n in states.items())))
    table = Table("At", "Step", "Event", "Detail", box=None, pad_edge=False)
    for at, step, kind, detail in events:
        told = ", ".join(f"{name} {value}" for name, value in detail.items() if name not in LEFT_TO_THE_REPORT)
        table.add_row(_moment(at), Text(step), Text(kind), Text(told))
    if events:
        console.print()
        console.print(table)
    for status in ledger.statuses.owed(transfer_id):
        console.print(Text(f"REDCap is owed a status, tried {status.attempts} times. {status.problem}", "yellow"))


def facts(summary: TransferSummary) -> dict[str, Any]:
    """Return a transfer as plain values, times in ISO 8601 with their offset."""
    counts = summary.counts
    times = {name: getattr(summary, name) for name in TIMES}
    return {
        "transfer": summary.id,
        "run": summary.run_id,
        "project": summary.project,
        "state": summary.state.value,
        "message": summary.message,
        "attempt": summary.attempt,
        "expected": summary.expected,
        "in": counts.received,
        "sent": counts.sent,
        "skipped": counts.skipped,
        "held": counts.held,
        "open": counts.open,
        "boxes": counts.boxes,
        **{name: time.isoformat() if time else None for name, time in times.items()},
    }


def _moment(time: datetime | None) -> str | None:
    """Return a time for people: of this machine's zone, which it names."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}" if time else None


def _console() -> Console:
    """Return a console. Into a file or a pipe, it writes long lines instead of folding them at 80 characters."""
    console = Console()
    return console if console.is_terminal else Console(width=250)
