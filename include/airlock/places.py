"""The settings that de-identifying a folder needs, read without what checks all of them.

Importing that takes longer than the files of a small study. Whatever is not plainly right here is left to
:mod:`airlock.settings`, which says what is wrong.
"""

from __future__ import annotations

import os
import re

from airlock.tuples import NamedTuple
from airlock.typed import Literal

Engine = Literal["stream", "plain"]
_PREFIX = "AIRLOCK_"


class Places(NamedTuple):
    """Where things are; the names are those of :class:`airlock.settings.Settings`.

    :param projects: folder of project policies.
    :param key_path: file of the deployment key.
    :param workers: processes of one step.
    :param engine: which of the engines.
    """

    projects: str
    key_path: str
    workers: int
    engine: Engine


def load_places() -> Places:
    """Read the settings from the environment.

    :raises PolicyError: when a variable has a value that cannot be used.
    """
    given = {name.removeprefix(_PREFIX): value for name, value in os.environ.items() if name.startswith(_PREFIX)}
    spelled_otherwise = any(name.upper().startswith(_PREFIX) and name.upper() != name for name in os.environ)
    home = given.pop("HOME", "var")
    # As paths are read, nothing means the current folder.
    projects = given.pop("PROJECTS", "config/projects") or os.curdir
    key_path = given.pop("KEY_FILE", os.path.join(home, "secret/airlock.key")) or os.curdir  # noqa: PTH118 - as above
    workers = given.pop("WORKERS", str(os.cpu_count() or 1))
    engine = given.pop("ENGINE", "stream")
    # The key is no setting. Any other variable may have a value that cannot be used.
    given.pop("KEY", None)
    right = not given and not spelled_otherwise and re.fullmatch(r"[1-9][0-9]{0,3}", workers)
    if right and engine in ("stream", "plain"):
        return Places(projects, key_path, int(workers), "stream" if engine == "stream" else "plain")
    from airlock.settings import load_settings  # noqa: PLC0415 - as the module says

    settings = load_settings()
    return Places(str(settings.projects), str(settings.key_path), settings.workers, settings.engine)
