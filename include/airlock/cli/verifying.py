"""Verifying a folder from the command line: what is read before, and what is told after."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

from airlock.cli import HELD
from airlock.cli.progress import progress_bar
from airlock.deid.terms import Strictest
from airlock.errors import UnknownProject
from airlock.identity.keys import KeyRing
from airlock.places import load_places
from airlock.verify.folder import FolderVerification
from airlock.verify.found import verdict
from airlock.verify.report import summary, write_report

if TYPE_CHECKING:
    from airlock.verify.together import Project

    Place = str | os.PathLike[str]


def verify_folder(
    outputs: Place, inputs: Place, project: str, *, subject: str | None = None, report: Place | None = None
) -> int:
    """Verify the outputs below one folder against the inputs below another, and print how many passed.

    The parameters are the arguments and options of `airlock verify`.

    :return: exit status: 0 when all outputs pass, 3 when some must not leave or must be looked at.
    :raises RefusedError: when nothing was begun.
    """
    settings = load_places()
    policy, keys = _policy(settings.projects, project), KeyRing.load(settings.key_path)
    verification = FolderVerification(outputs, inputs, policy, keys, subject=subject, workers=settings.workers)
    with progress_bar("verifying") as show:
        result = verification.run(show)
    problems, names = result.by_instance(wrong=report is None)
    if report is not None:
        write_report(report, problems, names)
    counts = Counter(verdict(found) for found in result.problems.values())
    if wrong := summary(problems):
        print(wrong, file=sys.stderr)
    print(
        f"in {result.inputs} / out {len(result.problems)} / pass {counts['pass']} / review {counts['review']} / "
        f"fail {counts['fail']} / inputs without output {result.without_output}"
    )
    return HELD if counts["review"] or counts["fail"] else 0


def _policy(projects: str, project: str) -> Project:
    """Return the project's policy, or the strictest where none describes it, as `airlock deidentify` does."""
    if os.path.isdir(projects):  # noqa: PTH112 - pathlib takes longer to import than to look
        from pathlib import Path  # noqa: PLC0415 - as above

        from airlock.project import find_policy  # noqa: PLC0415 - without a policy, there is nothing to check

        try:
            return find_policy(Path(projects), project)
        except UnknownProject:
            pass
    print("No policy describes this project: the Basic Profile is expected.", file=sys.stderr)
    return Strictest(project)
