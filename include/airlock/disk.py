"""Room on the disk: Airlock stops taking work in before there is none left, so that no study ends half way."""

from __future__ import annotations

import shutil
from pathlib import Path

from airlock.errors import DiskFull
from airlock.settings import Settings

GIGABYTE = 1_000_000_000


def free_bytes(settings: Settings) -> int:
    """Return how many bytes are free where Airlock writes: below its home, and where requests are archived."""
    return min(shutil.disk_usage(_existing(folder)).free for folder in (settings.home, settings.proc_folder))


def has_room(settings: Settings, needed_bytes: int = 0) -> bool:
    """Whether the mark `AIRLOCK_MIN_FREE_GIGABYTES` is kept, also after something of this size was written."""
    return free_bytes(settings) - needed_bytes >= settings.min_free_gigabytes * GIGABYTE


def check_room(settings: Settings, needed_bytes: int = 0) -> None:
    """Go on when there is room.

    :raises DiskFull: when there is not; the work is tried again later.
    """
    if not has_room(settings, needed_bytes):
        raise DiskFull(
            f"There is too little room below AIRLOCK_HOME: {free_bytes(settings) / GIGABYTE:.4g} GB are free, "
            f"{needed_bytes / GIGABYTE:.4g} GB are needed, and {settings.min_free_gigabytes:g} GB must stay free "
            "(AIRLOCK_MIN_FREE_GIGABYTES). Nothing was begun; it is tried again. Make room, or wait."
        )


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
