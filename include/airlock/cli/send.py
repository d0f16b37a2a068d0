"""`airlock send`: send files to a PACS by C-STORE."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from airlock.cli.peer_options import peer_from, peer_options
from airlock.cli.sending import send_folder
from airlock.dicomio.peer import ENGINES, MOST_ASSOCIATIONS


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
    if status := send_folder(peer_from(options), source):
        sys.exit(status)
