"""All commands of the command line. Each lives in a module of its own, which is imported only when it is needed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

from airlock.cli import COMMANDS

__all__ = ["airlock", "run"]


class _LazyGroup(click.Group):
    """A group whose commands are modules; one that is not installed is not listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if find_spec(f"airlock.cli.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"airlock.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit status: 0 done; 1 failed, trying again may help; 2 refused, somebody must correct something first; "
    "3 held, a person must look.",
)
@click.version_option(package_name="airlock")
def airlock() -> None:
    """Move DICOM studies from the clinical side to the research side.

    Where things are is read from the environment (AIRLOCK_HOME, AIRLOCK_PROJECTS, ...).
    """


def run(arguments: list[str] | None, failed: int) -> object:
    """Run a command and return its exit status; what it was called with wrongly is told.

    :param arguments: those of the process when None.
    :param failed: exit status of a command that was interrupted.
    """
    try:
        return airlock.main(arguments, prog_name="airlock", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        return failed
