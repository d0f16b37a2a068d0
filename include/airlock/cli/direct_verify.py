"""`airlock verify` without click, where its arguments are plainly right: see :mod:`airlock.cli.direct`.

What is not plainly right is left to the command of the same name; both do the same work (:mod:`airlock.cli.verifying`).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from airlock.cli.plain import read_arguments

VALUES = ("--against", "--project", "--subject", "--report")
"""Options, each with a value."""


def read_verify(arguments: list[str]) -> tuple[str, dict[str, str]] | None:
    """Return the folder of outputs, and options; None when what is asked for is click's to decide.

    :param arguments: those after `verify`.
    """
    folders, options = read_arguments(arguments, VALUES)
    outputs, inputs = "".join(folders[:1]), options.get("--against", "")
    report = options.get("--report")
    if len(folders) != 1 or "--project" not in options:
        return None
    # What click would refuse, it must be asked to refuse. Importing pathlib takes longer than to look.
    if not all(os.path.isdir(folder) and os.access(folder, os.R_OK) for folder in (outputs, inputs)):  # noqa: PTH112 - see above
        return None
    if report is not None and (
        os.path.lexists(report) or not os.path.isdir(os.path.dirname(report) or ".")  # noqa: PTH112, PTH120 - as above
    ):
        return None
    return outputs, options


def find_verify(asked: tuple[str, dict[str, str]], *, watched: bool) -> Callable[[], int]:
    """Return what verifies a folder, for which much is imported.

    :param asked: what :func:`read_verify` returned.
    :param watched: as :func:`airlock.cli.verifying.verify_folder` has it.
    """
    from airlock.cli.verifying import verify_folder  # noqa: PLC0415 - most of the commands do without

    outputs, options = asked
    subject, report = options.get("--subject"), options.get("--report")
    here = {"watched": True} if watched else {}
    return lambda: verify_folder(
        outputs, options["--against"], options["--project"], subject=subject, report=report, **here
    )
