"""`airlock request import`: request a list of studies, and tell which of them cannot be found."""

from __future__ import annotations

import getpass
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from airlock.cli import REFUSED
from airlock.cli.peer_options import peer_from, peer_options
from airlock.dicomio.find import StudyKeys, find_studies
from airlock.dicomio.peer import Peer
from airlock.errors import AirlockError
from airlock.identity.keys import KeyRing
from airlock.intake.arrived import find_arrived
from airlock.intake.ask import Ask, write_request
from airlock.intake.listed import Find, Search, search_list
from airlock.ledger import Asked
from airlock.project import ProjectPolicy, find_policy
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--project", required=True, help="Name of a project that has a policy.")
@click.option("--subject", default="", help="Research subject id of lines without one.")
@click.option(
    "--method", type=click.Choice(["c-move", "c-get"]), default="c-move", show_default=True, help="With a PACS."
)
@click.option("--all", "all_", is_flag=True, help="Request every study of an accession number that has several.")
@click.option("--missing", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines not found here.")
@click.option("--dry-run", is_flag=True, help="Search only; write no request.")
@peer_options
def import_(file: Path, project: str, subject: str, method: str, all_: bool, **options: Any) -> None:
    """Request the studies that the CSV file FILE lists.

    Its first line names the columns: study_instance_uid or accession_number; transfer_name, the research subject id;
    transfer_event_name and redcap_repeat_instance where needed. FIONA's names of the coupling list do too. Each study
    is searched before anything is requested: at the PACS that --connection or --host names, else in the raw folder.
    Exit status 2 when a line was not found or is no request; the others are requested.
    """
    missing, dry_run = options.pop("missing"), options.pop("dry_run")
    settings = load_settings()
    policy = find_policy(settings.projects, project)
    keys = KeyRing.load(settings.key_path)
    source, find = _source(settings, method, options)
    search = search_list(file, project, find, keys, source=source, subject=subject, all_=all_)
    requested = 0 if dry_run else _write(search, policy, keys, settings)
    _tell(search, requested, dry_run)
    if missing:
        _write_missing(file, missing, sorted([*search.not_found, *search.ambiguous, *search.wrong]))
    if not search.whole:
        sys.exit(REFUSED)


def _source(settings: Settings, method: str, options: dict[str, Any]) -> tuple[dict[str, str], Find]:
    """Return where the requests take their studies from, and how studies are searched there."""
    if options.get("connection") is None and options.get("host") is None:
        return {"method": "raw"}, partial(find_arrived, settings.raw_folder)
    source = {"method": method} | ({"connection": options["connection"]} if options.get("connection") else {})
    return source, partial(_find_at_pacs, peer_from(options))


def _find_at_pacs(peer: Peer, study: str, accession: str) -> list[str]:
    keys = StudyKeys(study) if study else StudyKeys(accession_number=accession)
    return [found.study_instance_uid for found in find_studies(peer, keys)]


def _write(search: Search, policy: ProjectPolicy, keys: KeyRing, settings: Settings) -> int:
    ledger = open_ledger(settings)
    requested = 0
    for line, ask in search.asks:
        try:
            requested += _request(ask, policy, keys, settings, ledger)
        except AirlockError as error:
            search.wrong[line] = str(error)
    return requested


def _request(ask: Ask, policy: ProjectPolicy, keys: KeyRing, settings: Settings, ledger: Any) -> bool:
    return write_request(ask, policy, ledger, keys, settings, Asked("list", getpass.getuser())) is not None


def _tell(search: Search, requested: int, dry_run: bool) -> None:
    known = len(search.asks) - requested - sum(line in search.wrong for line, _ in search.asks)
    what = f"{len(search.asks)} found" if dry_run else f"{requested} requested, {known} known before"
    others = f"{len(search.not_found)} not found, {len(search.ambiguous)} ambiguous, {len(search.wrong)} wrong"
    click.echo(f"{what}; {others}.")
    # Lines are named by their number: what they say is the patient's.
    for lines, why in ((search.not_found, "not found"), (search.ambiguous, "several studies; --all requests them")):
        for line in lines:
            click.secho(f"line {line}: {why}", fg="yellow")
    for line, reason in sorted(search.wrong.items()):
        click.secho(f"line {line}: {reason}", fg="red")


def _write_missing(file: Path, missing: Path, lines: list[int]) -> None:
    """Copy the head of the file and the lines that were not requested, for the next try."""
    content = file.read_text("utf-8-sig").splitlines()
    missing.touch(mode=0o600)
    missing.write_text("\n".join([content[0], *(content[line - 1] for line in lines)]) + "\n", "utf-8")
