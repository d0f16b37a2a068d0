"""`airlock pull`: bring a study from a PACS into a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from airlock.cli import FAILED
from airlock.cli.peer_options import peer_from, peer_options
from airlock.cli.progress import progress_bar
from airlock.dicomio.retrieval import Level
from airlock.dicomio.webpeer import WebPeer
from airlock.retrieve.pacs import fetch_study


@click.command("pull")
@click.argument("study_uid")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@peer_options
@click.option("--method", type=click.Choice(["c-move", "c-get", "dicomweb"]), default="c-move", show_default=True)
@click.option("--move-aet", help="C-MOVE destination: our AE title as the peer knows it.")
@click.option("--move-port", type=click.IntRange(1, 65535), help="Port of the C-MOVE destination.")
@click.option("--move-tls/--no-move-tls", default=None, help="This port is encrypted, with the same certificate.")
@click.option("--move-host", help="Address that this port is bound to.")
@click.option(
    "--level", type=click.Choice(get_args(Level)), default="study", show_default=True, help="Ask at this level."
)
@click.option("--web", metavar="ID", help="The DICOMweb service of AIRFLOW_CONN_<ID>, for --method dicomweb.")
def command(study_uid: str, out: Path, method: str, level: Level, web: str | None, **options: Any) -> None:
    """Bring the study STUDY_UID into the folder OUT, one <SOPInstanceUID>.dcm per instance.

    Instances that are there already are not asked for again. Exit status: 0 all there, 1 failed or incomplete,
    2 refused.
    """
    if (method == "dicomweb") != (web is not None):
        raise click.UsageError("--method dicomweb needs --web, and --web needs --method dicomweb.")
    peer = WebPeer.from_environment(web) if web else peer_from(options)
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar("receiving") as show:
        fetched = fetch_study(peer, study_uid, out, by_get=method == "c-get", progress=show, level=level)
    # The names of what is missing would be original UIDs here.
    click.echo(f"received {fetched.expected - fetched.lacking} of {fetched.expected}")
    if fetched.lacking:
        sys.exit(FAILED)
