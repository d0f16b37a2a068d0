"""`airlock request`: write and check transfer requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click

from airlock.cli import REFUSED
from airlock.cli.request_again import again
from airlock.cli.request_cancel import cancel
from airlock.cli.request_import import import_
from airlock.errors import RefusedError
from airlock.identity.keys import KeyRing
from airlock.project import find_policy
from airlock.project_parts import Method
from airlock.request.drop import drop
from airlock.request.model import MAX_REQUEST_BYTES, TransferRequest, parse_request, validate_request
from airlock.request.schema import request_schema
from airlock.settings import load_settings


@click.group("request")
def command() -> None:
    """Write and check transfer requests."""


for _command in (import_, again, cancel):
    command.add_command(_command)


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def validate(context: click.Context, files: tuple[Path, ...]) -> None:
    """Check request files, and that their projects have a policy. Exit status 2 when one is not valid."""
    valid = True
    for file in files:
        try:
            find_policy(load_settings().projects, _read(file).transfer_project_name)
        except RefusedError as error:
            valid = False
            click.secho(f"{file}: {error}", fg="red")
        else:
            click.echo(f"{file}: valid")
    context.exit(0 if valid else REFUSED)


def _read(file: Path) -> TransferRequest:
    with file.open("rb") as stream:
        return parse_request(stream.read(MAX_REQUEST_BYTES + 1))


@command.command()
@click.option("--study", prompt="StudyInstanceUID", help="StudyInstanceUID. Asked for when not given.")
@click.option("--project", prompt="Project", help="Name of a project that has a policy.")
@click.option("--name", prompt="Research subject", help="Research subject id; becomes PatientID and PatientName.")
@click.option("--event", default="", help="Event of the subject, such as a visit.")
@click.option("--instance", default=1, show_default=True, help="REDCap repeat instance.")
@click.option("--method", type=click.Choice(get_args(Method)), help="Where the study comes from; else the policy says.")
@click.option("--connection", help="Airflow connection of the source. Needs --method.")
@click.option("--priority", type=click.Choice(["low", "normal", "high"]), default="normal", show_default=True)
@click.option("--dry-run", is_flag=True, help="Prepare everything, send and tell nothing.")
@click.option("--stop-before-send", is_flag=True, help="Prepare everything, send nothing.")
def new(**given: Any) -> None:
    """Write a request into the drop folder.

    What is not given is asked for. Arguments are seen by other users of the machine and kept in the shell's history;
    what is typed when asked is not.
    """
    settings = load_settings()
    if given["connection"] and not given["method"]:
        raise click.UsageError("--connection needs --method")
    document: dict[str, Any] = {
        "study_instance_uid": given["study"].strip(),
        "transfer_project_name": given["project"],
        "transfer_name": given["name"],
        "transfer_event_name": given["event"],
        "redcap_repeat_instance": given["instance"],
        "options": {name: given[name] for name in ("dry_run", "stop_before_send", "priority")},
    }
    if given["method"]:
        document["source"] = {name: given[name] for name in ("method", "connection") if given[name]}
    request = validate_request(document)
    find_policy(settings.projects, request.transfer_project_name)
    drop(request, settings)
    # Made by the service on its first start; made here, it would belong to whoever types this.
    readable = settings.key_path.exists()
    transfer = request.transfer_id(KeyRing.load(settings.key_path)) if readable else "it"
    click.echo(f"Requested {transfer}. `airlock status` shows it as soon as the intake has taken it.")


@command.command()
def schema() -> None:
    """Print the JSON Schema of request files."""
    click.echo(json.dumps(request_schema(), indent=2, ensure_ascii=False))
