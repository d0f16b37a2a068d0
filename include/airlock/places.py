"""The settings that de-identifying a folder needs, read without what checks all of them.

Importing that takes longer than the files of a small study. Whatever is not plainly right here is left to
:mod:`airlock.settings`, which says what is wrong.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Engine = Literal["stream", "plain"]
_PREFIX = "AIRLOCK_"


class Places(Protocol):
    """Where things are; the names are those of :class:`airlock.settings.Settings`."""

    @property
    def projects(self) -> Path:
        """Folder of project policies."""

    @property
    def key_path(self) -> Path:
        """File of the deployment key."""

    @property
    def workers(self) -> int:
        """Processes of one step."""

    @property
    def engine(self) -> Engine:
        """Which of the engines."""


@dataclass(frozen=True)
class _Read:
    projects: Path
    key_path: Path
    workers: int
    engine: Engine


def load_places() -> Places:
    """Read the settings from the environment.

    :raises PolicyError: when a variable has a value that cannot be used.
    """
    given = {name.removeprefix(_PREFIX): value for name, value in os.environ.items() if name.startswith(_PREFIX)}
    spelled_otherwise = any(name.upper().startswith(_PREFIX) and name.upper() != name for name in os.environ)
    home = Path(given.pop("HOME", "var"))
    projects = Path(given.pop("PROJECTS", "config/projects"))
    key_path = Path(given.pop("KEY_FILE", home / "secret" / "airlock.key"))
    workers = given.pop("WORKERS", str(os.cpu_count() or 1))
    engine = given.pop("ENGINE", "stream")
    # The key is no setting. Any other variable may have a value that cannot be used.
    given.pop("KEY", None)
    right = not given and not spelled_otherwise and re.fullmatch(r"[1-9][0-9]{0,3}", workers)
    if right and engine in ("stream", "plain"):
        return _Read(projects, key_path, int(workers), "stream" if engine == "stream" else "plain")
    from airlock.settings import load_settings  # noqa: PLC0415 - as the module says

    return load_settings()
