"""`airlock deidentify IN OUT`: de-identify a folder of DICOM files as a project's policy says, without Airflow."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from airlock.cli.folder import deidentify_folder

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
    sys.exit(
        deidentify_folder(
            source,
            target,
            project,
            subject=subject,
            keep_paths=keep_paths,
            uid_map=uid_map,
            patid_map=patid_map,
            report=report,
            store=store,
        )
    )
