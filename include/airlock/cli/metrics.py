"""`airlock metrics`: how long steps take, how much goes through, what waits."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from airlock.report.metrics import metrics, write_tsv
from airlock.settings import load_settings
from airlock.transfer import open_ledger


@click.command("metrics")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=7.0, show_default=True)
@click.option("--tsv", is_flag=True, help="Print a line per transfer, for a spreadsheet.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(days: float, tsv: bool, as_json: bool) -> None:
    """Show metrics of the transfers that were requested in the last days.

    With --tsv the columns are batch_id, status, size (bytes), start, finish, seconds, minutes, project, instances and
    sent.
    """
    ledger = open_ledger(load_settings())
    since = datetime.now(UTC) - timedelta(days=days)
    if tsv:
        write_tsv(ledger, ledger.transfers(since=since), sys.stdout)
        return
    found = metrics(ledger, since)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    console = Console()
    console = console if console.is_terminal else Console(width=200)
    states = ", ".join(f"{number} {state}" for state, number in found["transfers"].items()) or "none"
    console.print(f"Transfers: {states}")
    console.print(f"Sent: {found['instances']} instances, {found['bytes'] / 1e9:.3f} GB")
    queue = found["queue"]
    console.print(f"Not ended: {queue['transfers']}, the oldest for {timedelta(seconds=queue['oldest_seconds'])}")
    for day, gigabytes in found["gigabytes_per_day"].items():
        console.print(f"{day}  {gigabytes:.3f} GB")
    table = Table("Step", box=None, pad_edge=False)
    for name in ("Finished", "Failed", "Median s", "Longest s", "Instances/s", "MB/s"):
        table.add_column(name, justify="right")
    for name, step in found["steps"].items():
        shown = ("finished", "failed", "seconds_median", "seconds_longest", "instances_per_second")
        values = [step[key] for key in (*shown, "megabytes_per_second")]
        table.add_row(name, *("" if value is None else str(value) for value in values))
    if found["steps"]:
        console.print(table)
