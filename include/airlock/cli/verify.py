"""`airlock verify OUT --against IN`: read de-identified files again and compare them with their inputs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from airlock.cli.verifying import verify_folder

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("verify")
@click.argument("outputs", metavar="OUT", type=_FOLDER)
@click.option("--against", "inputs", metavar="IN", type=_FOLDER, required=True, help="Folder of the inputs.")
@click.option("--project", required=True, help="Project whose policy and keys were used.")
@click.option("--subject", help="Research subject id, when it was given to `airlock deidentify`.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write one JSON object per output and line.",
)
def command(outputs: Path, inputs: Path, project: str, subject: str | None, report: Path | None) -> None:
    """Check every file below OUT: that it holds no identifier of the inputs, and is what the project's policy asks for.

    Each is read to its last byte by other code than wrote it. The report names outputs, attributes and reasons; it
    holds no values.

    Exit status: 0 when all outputs pass, 2 when nothing was begun, 3 when some must not leave or must be looked at.
    """
    if report is not None and not report.parent.is_dir():
        raise click.UsageError(f"There is no folder for the file {report.name}. Make it first.")
    sys.exit(verify_folder(outputs, inputs, project, subject=subject, report=report))
