"""`airlock profile`: de-identification rules of other tools, as project files."""

from __future__ import annotations

import click

from airlock.cli.profile_convert import convert_profile


@click.group("profile")
def command() -> None:
    """Bring de-identification rules of other tools."""


command.add_command(convert_profile)
