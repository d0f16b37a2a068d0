"""`airlock rewrite`: the rewriter program, as it is in its image."""

from __future__ import annotations

import sys

import click

from airlock.pixels import rewriter


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Mask burned-in text in DICOM files. `airlock rewrite --help` shows the arguments."""
    sys.exit(rewriter.main(arguments))
