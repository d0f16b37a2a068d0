"""`airlock locations`: known places of burned-in text, and what reviewers propose to add to them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from airlock.errors import InvalidRequest
from airlock.pixels.locations import Location, is_location_file, load_library, parse_file
from airlock.settings import load_settings
from airlock.workspace import write_atomically


@click.group("locations")
def command() -> None:
    """Show and check known places of burned-in text, and adopt what reviewers propose.

    The folder is AIRLOCK_PIXEL_LOCATIONS. Every transfer checks all of it when it is accepted.
    """


@command.command("list")
def list_() -> None:
    """List the library, and proposals that nobody has adopted yet. Exit status 2: a file is not valid."""
    settings = load_settings()
    load_library(settings.pixel_locations)
    table = Table(Column("File", overflow="fold"), "In use", Column("Rule", overflow="fold"), "Masks")
    for folder, in_use in ((settings.pixel_locations, "yes"), (settings.home / "proposals", "proposed")):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            for location in parse_file(path) if is_location_file(path) else ():
                table.add_row(Text(str(path)), Text(in_use), Text(location.label), Text(_masks(location)))
    console = Console()
    (console if console.is_terminal else Console(width=250)).print(table)


@command.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check files before they are put into the library. Exit status 2: one is not valid."""
    for path in files:
        click.echo(f"{path}: {len(parse_file(path))} rules")


@command.command()
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Don't ask.")
def adopt(file: Path, yes: bool) -> None:
    """Move a proposed FILE into the library, after showing it. It masks from the next detection on."""
    folder = load_settings().pixel_locations
    target = folder / file.name
    load_library(folder)
    if not parse_file(file):
        raise InvalidRequest(f"{file} has no rule.")
    if target.exists():
        raise InvalidRequest(f"{target} is there already.")
    click.echo(file.read_text("utf-8"))
    if not yes:
        click.confirm("Mask these rectangles in every picture that matches?", abort=True)
    write_atomically(target, file.read_text("utf-8"))
    target.chmod(0o644)
    file.unlink()
    click.echo(f"Adopted as {target}. Keep the folder under version control.")


def _masks(location: Location) -> str:
    places = [str(box) for box in location.boxes]
    places += ["everything"] if location.everything else []
    return ", ".join(places + (["outside of ultrasound regions"] if location.outside_regions else []))
