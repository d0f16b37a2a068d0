"""`airlock reconcile`: the ledger against what the research PACS shows."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airlock.cli import HELD
from airlock.cli.peer_options import peer_from, peer_options
from airlock.deliver.reconcile import StudyRow, Verdict, reconcile, shown_by, write_rows
from airlock.dicomio.webpeer import WebPeer
from airlock.errors import InvalidRequest
from airlock.ledger import UNNAMED, Ledger
from airlock.settings import load_settings
from airlock.transfer import open_ledger

_STYLES = {Verdict.WHOLE: "green", Verdict.GONE: "green", Verdict.EXTRA: "yellow"}


@click.command("reconcile")
@peer_options
@click.option("--web", metavar="ID", help="Ask the DICOMweb service of AIRFLOW_CONN_<ID> instead.")
@click.option("--destination", metavar="ID", help="What went to this destination. Default: the ID of the connection.")
@click.option("--days", type=click.FloatRange(min=0), help="Only studies requested in this many days. Default: all.")
@click.option("--transfer", metavar="ID", help="Only the studies of this transfer.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write every difference here.")
def command(
    web: str | None,
    destination: str | None,
    days: float | None,
    transfer: str | None,
    csv_file: Path | None,
    **options: Any,
) -> None:
    """Compare what was sent with what a research PACS shows, study by study.

    A destination is known by its connection; one that is given by its address is compared with whatever was sent, or
    with what went to --destination. UIDs are the new ones. Exit status: 0 they agree, 1 the PACS did not answer, 2
    refused, 3 something is missing, extra, or withdrawn and not deleted.
    """
    peer = WebPeer.from_environment(web) if web else peer_from(options)
    since = None if days is None else datetime.now(UTC) - timedelta(days=days)
    ledger = open_ledger(load_settings())
    name = _known(ledger, destination or web or options.get("connection"))
    rows = list(reconcile(ledger, shown_by(peer), destination=name, since=since, transfer_id=transfer))
    if csv_file is not None:
        with csv_file.open("w", newline="", encoding="utf-8") as stream:
            write_rows(rows, stream)
    _print(rows)
    if not all(row.agrees for row in rows):
        sys.exit(HELD)


def _known(ledger: Ledger, name: str | None) -> str | None:
    """Check the name of a destination.

    :raises InvalidRequest: when nothing ever went there. A wrong name must not look like a PACS that agrees.
    """
    known = ledger.destinations()
    if name is not None and known and name not in known and UNNAMED not in known:
        raise InvalidRequest(
            f"Nothing was ever sent to a destination of this name; there are {', '.join(known)}. Name one of them with "
            "--destination."
        )
    return name


def _print(rows: list[StudyRow]) -> None:
    table = Table("Study", "Verdict", box=None, pad_edge=False)
    for name in ("Sent", "Shown", "Missing", "Extra"):
        table.add_column(name, justify="right")
    table.add_column("Transfers", overflow="fold")
    for row in rows:
        verdict = Text(row.verdict.value, _STYLES.get(row.verdict, "red"))
        numbers = map(str, (len(row.sent), len(row.shown), len(row.missing), len(row.extra)))
        table.add_row(Text(row.study_uid, overflow="fold"), verdict, *numbers, Text(" ".join(row.transfers)))
    console = Console()
    console = console if console.is_terminal else Console(width=250)
    console.print(table if rows else "Nothing was sent in this time.")
    differ = sum(not row.agrees for row in rows)
    console.print(f"studies {len(rows)}, agree {len(rows) - differ}, differ {differ}")
