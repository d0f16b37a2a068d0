"""`airlock deidentify IN OUT`: de-identify a folder of DICOM files as a project's policy says, without Airflow."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.deid.folder import FolderRun
from airlock.deid.patient import Outcome
from airlock.deid.terms import ProjectTerms, Strictest
from airlock.errors import UnknownProject
from airlock.identity.keys import KeyRing
from airlock.places import load_places
from airlock.workspace import write_atomically

if TYPE_CHECKING:
    from airlock.deid.known import KnownPatients

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command("deidentify")
@click.argument("source", metavar="IN", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--project", required=True, help="Project whose policy and keys are used.")
@click.option("--subject", help="Research subject id, when IN holds one patient. Default: a keyed pseudonym.")
@click.option("--keep-paths", is_flag=True, help="Keep relative paths that hold no identifier.")
@click.option("--uid-map", type=_FILE, help="Write changed UIDs: CSV, id_old,id_new.")
@click.option("--patid-map", type=_FILE, help="Write changed PatientIDs: CSV, id_old,id_new.")
@click.option("--report", type=_FILE, help="Write one JSON object per input and line.")
@click.option("--no-store", "store", flag_value="none", help="Do not use the identity store: keyed pseudonyms for all.")
@click.option("--dry-run", "store", flag_value="dry-run", help="Ask the identity store, and note nothing in it.")
def command(  # noqa: PLR0913, PLR0917 - one per option of the command
    source: Path,
    target: Path,
    project: str,
    subject: str | None,
    keep_paths: bool,
    uid_map: Path | None,
    patid_map: Path | None,
    report: Path | None,
    store: str | None,
) -> None:
    """De-identify the DICOM files below IN into OUT.

    Where the installation has an identity store, patients become whom they become in a transfer of the project, and
    new ones are noted. Without a store, or without a policy for the project, they get keyed pseudonyms.

    Outputs are named by their new UIDs. Files that are not understood are held: they are not written, and the report
    says why. The maps hold what stands in an output and was another in its input. They and the report stay with you:
    they tell who is who.

    Exit status: 0 when every input went out or was skipped, 2 when nothing was begun, 3 when some are held.
    """
    _check_places(source, target, (uid_map, patid_map, report))
    settings = load_places()
    policy, keys = _policy(settings.projects, project), KeyRing.load(settings.key_path)
    run = FolderRun(
        source,
        target,
        policy,
        keys,
        subject=subject,
        keep_paths=keep_paths,
        workers=settings.workers,
        engine=settings.engine,
    )
    run.known = _known(keys, policy, subject, store)
    with progress_bar("de-identifying") as show:
        outcomes = list(run.run(show))
    _write_maps(run, [target / outcome.output for outcome in outcomes if outcome.output], uid_map, patid_map)
    if report is not None:
        lines = "".join(_line(outcome) for outcome in sorted(outcomes, key=lambda o: o.name))
        # File names need not be UTF-8: what cannot be decoded becomes an escape of JSON, such as `\\udcff`.
        write_atomically(report, lines.encode("utf-8", "backslashreplace"))
    counts = Counter(outcome.kind for outcome in outcomes)
    click.echo(f"in {len(outcomes)} / out {counts['out']} / skipped {counts['skipped']} / held {counts['held']}")
    sys.exit(HELD if counts["held"] else 0)


def _check_places(source: Path, target: Path, files: Iterable[Path | None]) -> None:
    """Find out before the work what would lose its outcome, or write over the inputs."""
    inside, outside = target.resolve(), source.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise click.UsageError("Of IN and OUT, one lies in the other. Choose folders beside each other.")
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise click.UsageError(f"There is no folder for the file {file.name}. Make it first.")


def _policy(folder: Path, project: str) -> ProjectTerms:
    if not folder.is_dir():
        return _strictest(project)
    from airlock.project import find_policy  # noqa: PLC0415 - without a policy, there is nothing to check

    try:
        return find_policy(folder, project)
    except UnknownProject:
        return _strictest(project)


def _known(keys: KeyRing, policy: ProjectTerms, subject: str | None, store: str | None) -> KnownPatients | None:
    """Return what the identity store says; None where there is none, or no policy that says how to use it."""
    home = Path(os.environ.get("AIRLOCK_HOME", "var"))
    exists = "AIRLOCK_IDENTITY_URL" in os.environ or (home / "identity" / "identity.db").is_file()
    if store == "none" or isinstance(policy, Strictest) or not exists:
        return None
    from airlock.deid.known import open_known  # noqa: PLC0415 - it imports SQLAlchemy, which only a store needs

    return open_known(keys, policy.name, subject, dry_run=store == "dry-run")


def _strictest(project: str) -> ProjectTerms:
    policy = Strictest(project)
    edition = policy.deidentify.edition
    click.echo(f"No policy describes this project: the Basic Profile of PS3.15 {edition} is used.", err=True)
    return policy


def _write_maps(run: FolderRun, outputs: list[Path], uid_map: Path | None, patid_map: Path | None) -> None:
    """Write what became of UIDs and PatientIDs that stand in an output: of what is held or removed, nothing became."""
    if uid_map is None and patid_map is None:
        return
    from airlock.verify.present import present_in  # noqa: PLC0415 - only who asks for a map needs it

    present = present_in(outputs)
    if uid_map is not None:
        _write_map(uid_map, (row for row in run.uid_map() if row[1] in present.uids))
    if patid_map is not None:
        _write_map(patid_map, (row for row in run.patient_map() if row[1] in present.subjects))


def _write_map(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(("id_old", "id_new"))
    writer.writerows(rows)
    write_atomically(path, stream.getvalue().encode("utf-8", "surrogateescape"))


def _line(outcome: Outcome) -> str:
    document = {"input": outcome.name, "outcome": outcome.kind, "reason": outcome.reason, "output": outcome.output}
    return json.dumps({key: value for key, value in document.items() if value}, ensure_ascii=False) + "\n"
