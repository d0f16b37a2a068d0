"""`airlock detect`: where text is burned into the pixels of files. It prints boxes, never text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.pixels.survey import Examined, Search, survey
from airlock.settings import load_settings


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file, one per line.")
@click.option(
    "--confidence", type=click.IntRange(0, 100), default=20, show_default=True, help="Leave text read with less."
)
def command(source: Path, as_json: bool, confidence: int) -> None:
    """Find burned-in text in a DICOM file, or in all files of a folder.

    Boxes are x0, y0, x1, y1 in pixels, the second corner outside; frames count from 0. Exit status: 0 all examined,
    3 some could not be examined, or the detector cannot be used.
    """
    files = {str(p): p for p in sorted(source.rglob("*")) if p.is_file()} if source.is_dir() else {str(source): source}
    results: dict[str, Examined] = {}
    settings = load_settings()
    search = Search(confidence, locations=settings.pixel_locations)
    with progress_bar("examining") as show:
        for name, examined in survey(files, search, settings.workers) if files else ():
            results[name] = examined
            show(len(results), len(files))
    if as_json:
        for name in files:
            click.echo(json.dumps(document(name, results[name])))
    else:
        # Into a file or a pipe, long lines are written instead of folded.
        console = Console()
        (console if console.is_terminal else Console(width=250)).print(table(results))
    if any(examined.problem for examined in results.values()):
        sys.exit(HELD)


def document(name: str, examined: Examined) -> dict[str, Any]:
    """Return what is printed of one file: `error` only when it could not be examined."""
    frames = [{"frame": n, "boxes": examined.frames.get(n, [])} for n in range(examined.total)]
    return {"file": name, "frames": frames} | ({"error": examined.problem} if examined.problem else {})


def table(results: dict[str, Examined]) -> Table:
    """Return the table for people."""
    result = Table(Column("File", overflow="fold"), "Frames", "With text", "Boxes", "Header says", "Problem")
    for name, examined in sorted(results.items()):
        boxes = sum(map(len, examined.frames.values()))
        counts = [str(n) for n in (examined.total, len(examined.frames), boxes)]
        result.add_row(Text(name), *counts, ", ".join(examined.reasons), examined.problem or "")
    return result
