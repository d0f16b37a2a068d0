"""`airlock rewrite`: the rewriter program that is in the image, with the exit statuses of `airlock`."""

from __future__ import annotations

import sys

import click

from airlock.cli import HELD
from airlock.pixels import rewriter


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Mask burned-in text in DICOM files. `airlock rewrite --help` shows the arguments.

    Exit status: 0 every file has its output, 2 it cannot work at all, 3 some files were held.
    """
    status = rewriter.main(arguments)
    sys.exit(HELD if status == rewriter.INCOMPLETE else status)
