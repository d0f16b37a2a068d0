"""`airlock verify OUT --against IN`: read de-identified files again and compare them with their inputs."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.deid.terms import Strictest
from airlock.errors import UnknownProject
from airlock.identity.keys import KeyRing
from airlock.places import Places, load_places
from airlock.verify.folder import FolderVerification
from airlock.verify.found import verdict
from airlock.verify.report import summary, write_report
from airlock.verify.together import Project

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
    settings = load_places()
    policy, keys = _policy(settings, project), KeyRing.load(settings.key_path)
    verification = FolderVerification(outputs, inputs, policy, keys, subject=subject, workers=settings.workers)
    with progress_bar("verifying") as show:
        result = verification.run(show)
    if report is not None:
        write_report(report, result.problems, result.names)
    counts = Counter(verdict(found) for found in result.problems.values())
    if wrong := summary(result.problems):
        click.echo(wrong, err=True)
    click.echo(
        f"in {result.inputs} / out {len(result.problems)} / pass {counts['pass']} / review {counts['review']} / "
        f"fail {counts['fail']} / inputs without output {result.without_output}"
    )
    sys.exit(HELD if counts["review"] or counts["fail"] else 0)


def _policy(settings: Places, project: str) -> Project:
    """Return the project's policy, or the strictest where none describes it, as `airlock deidentify` does."""
    folder = Path(settings.projects)
    if folder.is_dir():
        from airlock.project import find_policy  # noqa: PLC0415 - without a policy, there is nothing to check

        try:
            return find_policy(folder, project)
        except UnknownProject:
            pass
    click.echo("No policy describes this project: the Basic Profile is expected.", err=True)
    return Strictest(project)
