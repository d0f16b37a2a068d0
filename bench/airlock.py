"""How Airlock's commands are run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.measure import BenchError, Run, run

# What the installed `airlock` script does, also where the package is only on the path.
COMMAND = (sys.executable, "-c", "from airlock.cli import main; main()")
PROJECT = "bench"
"""No policy describes it, so the Basic Profile of PS3.15 is used."""


def environment(scratch: Path) -> dict[str, str]:
    """Environment in which Airlock has its default settings and writes below a folder.

    Compiled modules are kept there too, whatever this process was told: after the unmeasured first run, Airlock starts
    as an installed program does.
    """
    ours = ("AIRLOCK_", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **inherited,
        "AIRLOCK_HOME": str(scratch / "home"),
        "AIRLOCK_PROJECTS": str(scratch / "projects"),
        "PYTHONPYCACHEPREFIX": str(scratch / "compiled"),
    }


def airlock(scratch: Path, *arguments: str | Path, **settings: str) -> Run:
    """Run an `airlock` command.

    :param settings: by their names without `AIRLOCK_`.
    """
    own = {f"AIRLOCK_{name}": value for name, value in settings.items()}
    return run([*COMMAND, *map(str, arguments)], environment(scratch) | own)


def expect(output: str, last_line: str) -> None:
    """Check what a command says that it did.

    :raises BenchError: when its last line is another.
    """
    said = output.strip().splitlines()[-1:] or ["nothing"]
    if said[0] != last_line:
        raise BenchError(f"Airlock said {said[0]!r}, not {last_line!r}")
