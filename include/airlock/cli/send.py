"""`airlock send`: send files to a PACS by C-STORE."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from airlock.cli import HELD
from airlock.cli.peer_options import peer_from, peer_options
from airlock.cli.progress import progress_bar
from airlock.dicomio.header import UnreadableInstance
from airlock.dicomio.peer import ENGINES, MOST_ASSOCIATIONS
from airlock.dicomio.store import Outcome, Outgoing, send_files


@click.command("send")
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@peer_options
@click.option("--associations", type=click.IntRange(1, MOST_ASSOCIATIONS), help="How many send at a time.")
@click.option("--engine", type=click.Choice(ENGINES), help="What sends: the byte path, or the library.")
def command(source: Path, **options: Any) -> None:
    """Send the DICOM file IN, or every file below the folder IN, as it is.

    Files that the peer refuses are named by their position in order of path. Exit status: 0 all sent, 1 failed,
    2 refused as a whole, 3 some files were refused or are not DICOM.
    """
    peer = peer_from(options)
    paths = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    counts: Counter[str] = Counter()
    files = _readable(paths, counts)
    with progress_bar("sending") as show:
        for done, outcome in enumerate(send_files(peer, files), start=1):
            counts[_word(outcome)] += 1
            show(done, len(files))
    click.echo(f"sent {counts['sent']}, refused {counts['refused']}, unreadable {counts['unreadable']}")
    if counts["sent"] != len(paths):
        sys.exit(HELD)


def _readable(paths: list[Path], counts: Counter[str]) -> list[Outgoing]:
    files = []
    for position, path in enumerate(paths, start=1):
        try:
            # A PACS ends the association over a truncated file, and the files after it would not be sent.
            files.append(Outgoing.of(str(position), path, whole=True))
        except UnreadableInstance as error:
            counts["unreadable"] += 1
            click.echo(f"file {position}: {error}", err=True)
    return files


def _word(outcome: Outcome) -> str:
    if outcome.stored:
        return "sent"
    why = "no presentation context accepted" if outcome.status is None else f"status 0x{outcome.status:04X}"
    click.echo(f"file {outcome.id}: {why}", err=True)
    return "refused"
