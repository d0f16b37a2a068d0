"""The command line. Each command lives in a module of its own, which is imported only when it is needed."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import click

from airlock.errors import AirlockError, HeldError, RefusedError
from airlock.quiet import place_of

COMMANDS = {
    "audit": "Prove what happened to a transfer.",
    "deidentify": "De-identify a folder of DICOM files.",
    "detect": "Find burned-in text in DICOM files.",
    "identity": "Import, export and withdraw identities; rotate the key.",
    "locations": "Show and check known places of burned-in text, adopt proposed ones.",
    "metrics": "Show how long steps take, how much goes through, and what waits.",
    "profile": "Show, compare and convert what is done with every attribute.",
    "project": "Show the projects, and read REDCap's list of them.",
    "pull": "Bring a study from a PACS into a folder.",
    "quarantine": "Show what is held, let it go on, or leave it out.",
    "reconcile": "Compare what was sent with what the research PACS shows.",
    "request": "Write and check transfer requests.",
    "rewrite": "Mask burned-in text in DICOM files.",
    "route": "Request what arrived and belongs to a project by itself.",
    "scp": "Receive DICOM files as a service.",
    "send": "Send DICOM files to a PACS.",
    "status": "Show what became of the transfers.",
    "verify": "Check de-identified DICOM files against their inputs.",
    "withdraw": "Take a transfer back, and list what the research PACS must delete.",
}
"""Each is a module of this package with a `command`; what it does is told here, so that help imports none of them."""

FAILED, REFUSED, HELD = 1, 2, 3


class _LazyGroup(click.Group):
    """A group whose commands are modules; one that is not installed is not listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if find_spec(f"{__name__}.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    :param arguments: those of the process when None.
    """
    try:
        status = airlock.main(arguments, prog_name="airlock", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort:
        _complain("Aborted.")
        status = FAILED
    except AirlockError as error:
        _complain(str(error))
        status = exit_status(error)
    except Exception as error:  # noqa: BLE001 - a traceback quotes values: of a dataset, of a file's name
        _complain(_unexpected(error))
        status = FAILED
    sys.exit(status if isinstance(status, int) else 0)


def exit_status(error: AirlockError) -> int:
    """Exit status that tells a script what to do about an error."""
    if isinstance(error, HeldError):
        return HELD
    return REFUSED if isinstance(error, RefusedError) else FAILED


def _unexpected(error: Exception) -> str:
    """Return the kind of an error that was not foreseen, and where it happened."""
    kind = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"It could not be done: {kind} ({place_of(error)}). If no folder or permission explains this, report it."


def _complain(message: str) -> None:
    # Not worth its import where there is nothing to complain about.
    from rich.console import Console  # noqa: PLC0415 - as the comment says
    from rich.text import Text  # noqa: PLC0415 - as above

    Console(stderr=True, soft_wrap=True).print(Text(" ".join(message.splitlines()), style="bold red"))
