"""`airlock project`: what is decided per project, and where each decision comes from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airlock.errors import NotApproved, StatusRefused
from airlock.project import ProjectPolicy, find_policy, load_policies
from airlock.report.rules import rules_with_origin
from airlock.settings import load_settings


@click.group("project")
def command() -> None:
    """Show the projects, and read REDCap's list of them."""


@command.command("list")
def list_() -> None:
    """List the projects, and whether they may receive studies today."""
    table = Table("Project", "Today", "Policy digest", "Why not", box=None, pad_edge=False)
    for name, policy in sorted(load_policies(load_settings().projects).items()):
        why = _why_not(policy)
        table.add_row(Text(name), Text("no" if why else "yes"), policy.digest[:12], Text(why, overflow="fold"))
    _console().print(table)


@command.command()
@click.argument("name")
def show(name: str) -> None:
    """Show the policy of project NAME, and for each field whether its file, REDCap or the default says so."""
    folder = load_settings().projects
    policy = find_policy(folder, name)
    table = Table("Field", "Value", "Said by", box=None, pad_edge=False)
    for path, value, origin in rules_with_origin(folder, policy):
        table.add_row(Text(path), Text(str(value), overflow="fold"), origin)
    console = _console()
    console.print(table)
    console.print(Text(f"\nDigest {policy.digest}"))
    if why := _why_not(policy):
        console.print(Text(why, "yellow"))


@command.command()
@click.option("--url", required=True, envvar="AIRLOCK_REDCAP_URL", help="API URL; ends with /api/.")
@click.option("--token-file", required=True, type=click.File(), help="File with the API token; - reads the input.")
@click.option("--connection", help="Airflow connection of the REDCap that is told; else AIRLOCK_REDCAP_CONNECTION.")
@click.option("--forget", is_flag=True, help="Drop projects that REDCap doesn't list any more.")
def sync(url: str, token_file: Any, connection: str | None, forget: bool) -> None:
    """Read REDCap's list of projects, and write it beside the policies. The DAG `projects` does the same."""
    from airlock.redcap.client import RedcapClient  # noqa: PLC0415 - the other commands don't need the network
    from airlock.redcap.projects import sync_projects  # noqa: PLC0415 - likewise

    settings = load_settings()
    client = RedcapClient(url, token_file.read().strip())
    registry = sync_projects(client, settings.projects, connection or settings.redcap_connection, forget=forget)
    blocked = [name for name, registered in registry.projects.items() if registered.problems]
    click.echo(f"{len(registry.projects)} projects, {len(blocked)} with something that cannot be used.")
    for name in sorted(blocked):
        click.echo(f"  {name}: {'; '.join(registry.projects[name].problems.values())}")
    if blocked:
        raise StatusRefused("Mend these in REDCap and synchronise again, or say them in the projects' files.")


def _why_not(policy: ProjectPolicy) -> str:
    try:
        policy.check_approved(datetime.now(UTC).astimezone().date())
    except NotApproved as error:
        return str(error)
    return ""


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=250)
