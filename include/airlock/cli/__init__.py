"""The command line: what commands there are, and how a command ends.

Importing this costs nothing: a command whose work is short is called directly (:mod:`airlock.cli.direct`), all others
by click (:mod:`airlock.cli.group`), whose import takes as long as de-identifying a hundred images.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from airlock.cli.watched import is_watched
from airlock.errors import AirlockError, HeldError, RefusedError
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airlock.cli.group import airlock as airlock

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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    :param arguments: those of the process when None.
    """
    try:
        status = _run(sys.argv[1:], own=True) if arguments is None else _run(arguments)
    except AirlockError as error:
        _complain(str(error))
        status = exit_status(error)
    except Exception as error:  # noqa: BLE001 - a traceback quotes values: of a dataset, of a file's name
        _complain(_unexpected(error))
        status = FAILED
    status = status if isinstance(status, int) else 0
    if is_watched():
        _end_at_once(status)
    sys.exit(status)


def _end_at_once(status: int) -> None:
    """End the process, unless somebody waits for its end: taking modules apart takes longer than many a command."""
    import atexit  # noqa: PLC0415 - beside its only use

    # Who waits for the end of a command waits for that of the process that watches over it.
    if is_watched() or ("threading" not in sys.modules and not atexit._ncallbacks()):  # noqa: SLF001 - there is no other way to ask
        # What cannot be written is told by the usual way to the end.
        with suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status)


def _run(arguments: list[str], *, own: bool = False) -> object:
    from airlock.cli.direct import find_direct  # noqa: PLC0415 - it postpones the import of what others need at once

    if (work := find_direct(arguments, own=own)) is not None:
        status = work()
        if isinstance(status, int):
            _end_at_once(status)
        return status
    from airlock.cli.group import run  # noqa: PLC0415 - it imports click

    return run(arguments, FAILED)


def __getattr__(name: str) -> Any:
    if name != "airlock":
        raise AttributeError(name)
    from airlock.cli.group import airlock  # noqa: PLC0415 - it imports click

    return airlock


def exit_status(error: AirlockError) -> int:
    """Exit status that tells a script what to do about an error."""
    if isinstance(error, HeldError):
        return HELD
    return REFUSED if isinstance(error, RefusedError) else FAILED


def _unexpected(error: Exception) -> str:
    """Return the kind of an error that was not foreseen, and where it happened."""
    from airlock.quiet import place_of  # noqa: PLC0415 - it imports logging

    kind = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"It could not be done: {kind} ({place_of(error)}). If no folder or permission explains this, report it."


def _complain(message: str) -> None:
    # Not worth its import where there is nothing to complain about.
    from rich.console import Console  # noqa: PLC0415 - as the comment says
    from rich.text import Text  # noqa: PLC0415 - as above

    Console(stderr=True, soft_wrap=True).print(Text(" ".join(message.splitlines()), style="bold red"))
