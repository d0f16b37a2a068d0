"""What the demonstration shows at its end: the table, the images, the picture."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydicom import dcmread
from rich.console import Console
from rich.table import Table

from airlock.ledger import TransferSummary
from airlock.pixels.preview import write_preview
from airlock.retrieve.pacs import fetch_study
from demo.scene import Case
from demo.stack import Stack


def table(console: Console, rows: list[tuple[Case, TransferSummary]]) -> None:
    """Print one line per transfer."""
    shown = Table(title="Four transfers", title_justify="left")
    for heading in ("request", "outcome"):
        shown.add_column(heading)
    for heading in ("in", "sent", "skipped", "held", "boxes masked", "seconds"):
        shown.add_column(heading, justify="right")
    for case, summary in rows:
        c = summary.counts
        begun, ended = summary.arrived_at, summary.finished_at
        seconds = f"{(ended - begun).total_seconds():.0f}" if ended else "-"
        numbers = [str(n) for n in (c.received, c.sent, c.skipped, c.held, c.boxes)]
        shown.add_row(case.title, str(summary.state), *numbers, seconds)
    console.print(shown)
    for case, summary in rows:
        if summary.message:
            console.print(f"[bold]{case.title}[/]: {summary.message}", highlight=False)


def fetch(stack: Stack, cases: list[Case], studies: dict[str, str]) -> Path:
    """Fetch the de-identified studies from the research PACS and draw the pictures; return the folder.

    :param studies: new StudyInstanceUID by transfer id.
    """
    folder = stack.home / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    for case in cases:
        study = studies.get(case.id(stack))
        if study is None:
            continue
        target = folder / case.request.transfer_name
        target.mkdir(parents=True)
        fetch_study(stack.research, study, target, by_get=True)
        if case.picture is not None:
            after = next(f for f in target.rglob("*.dcm") if dcmread(f, stop_before_pixels=True).Modality == "US")
            write_preview(case.picture, after, case.frame, folder / f"{case.request.transfer_name}-before-after.png")
    return folder
