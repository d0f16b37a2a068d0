"""`airlock profile`: what is done with every attribute, by edition, option and project.

Every subcommand is a function with a decorator of the group `command`; what it prints is made in `airlock.deid`.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from airlock.cli.profile_convert import convert_profile
from airlock.deid.profile import Profile
from airlock.deid.statement import make_statement
from airlock.deid.table import Line, lines
from airlock.errors import PolicyError
from airlock.project import ProjectPolicy, find_policy, load_policy
from airlock.settings import load_settings
from airlock.workspace import write_atomically


@click.group("profile")
def command() -> None:
    """Show, compare and describe how attributes are de-identified.

    A PROFILE is an edition of PS3.15 with options, such as `2026d` or `2026d+clean_descriptors`; a project's file; or
    the name of a project.
    """


command.add_command(convert_profile)


@command.command("show")
@click.argument("profile", default="2026d")
@click.option("--attribute", "wanted", help="Only attributes whose tag, keyword or name holds this text.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(profile: str, wanted: str | None, as_json: bool) -> None:
    """Show what PROFILE does with the attributes of the standard's table."""
    chosen = [line for line in lines(resolve(profile)) if wanted is None or line.holds(wanted)]
    if as_json:
        click.echo(json.dumps([line.as_dict() for line in chosen], indent=1))
    else:
        _print(["tag", "attribute", "VR", "action", "means"], [[*line.cells(), line.meaning] for line in chosen])


@command.command("diff")
@click.argument("first")
@click.argument("second")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def diff(first: str, second: str, as_json: bool) -> None:
    """Show what is done otherwise by the profile SECOND than by FIRST."""
    before, after = ({line.tag: line for line in lines(resolve(name))} for name in (first, second))
    changed = [
        (before.get(tag), after.get(tag))
        for tag in sorted({*before, *after})
        if _action(before.get(tag)) != _action(after.get(tag))
    ]
    if as_json:
        rows = [
            {**(new or old or Line.NONE).as_dict(), "action": {"first": _action(old), "second": _action(new)}}
            for old, new in changed
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    _print(
        ["tag", "attribute", "VR", first, second],
        [[*(new or old or Line.NONE).cells()[:3], _action(old), _action(new)] for old, new in changed],
    )
    click.echo(f"{len(changed)} attributes differ.")


@command.command("statement")
@click.option("--project", required=True, help="Name of the project, or its file.")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of Markdown.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
def statement(project: str, as_json: bool, out: Path | None) -> None:
    """Describe how a project is de-identified, as PS3.15 asks of a conformance statement."""
    made = make_statement(_policy(project))
    text = json.dumps(made.as_dict(), indent=1) + "\n" if as_json else made.as_markdown()
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically(out, text.encode())


def _policy(text: str) -> ProjectPolicy:
    """Return the policy of a project that a command line names."""
    if text.endswith((".yaml", ".yml")) or "/" in text:
        return load_policy(Path(text))
    settings = load_settings()
    if not settings.projects.is_dir():
        known = ", ".join(Profile.EDITIONS)
        raise PolicyError(f"There is no project of this name, nor a profile. Editions of the table are {known}.")
    return find_policy(settings.projects, text)


def resolve(text: str) -> Profile:
    """Return the profile that a command line names.

    :raises PolicyError: when there is none of this name.
    """
    edition, *options = text.split("+")
    if edition in Profile.EDITIONS:
        return Profile(edition, options)
    return Profile.of(_policy(text).deidentify)


def _action(line: Line | None) -> str:
    return line.action if line is not None else "not listed"


def _print(headings: list[str], rows: list[list[str]]) -> None:
    console = Console()
    if not console.is_terminal:
        click.echo("\n".join("\t".join(row) for row in [headings, *rows]))
        return
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
