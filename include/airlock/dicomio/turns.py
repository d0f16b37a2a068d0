"""Turns: how many of this machine do something at a time. Whoever dies gives its place back."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.5


@contextmanager
def our_turn(port: int) -> Iterator[None]:
    """Let the pulls of this user on this machine use the port one after the other."""
    path = Path(tempfile.gettempdir()) / f"airlock-{os.getuid()}-move-{port}.lock"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def slot(folder: Path, name: str, count: int) -> Iterator[None]:
    """Wait until fewer than `count` processes of this machine are in the block.

    A process that dies gives its slot back.

    :param folder: for the lock files.
    :param name: of what is limited.
    :param count: 0 for no limit.
    """
    if not count:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    safe = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    descriptor = _take(folder, safe, count)
    try:
        yield
    finally:
        os.close(descriptor)


def _take(folder: Path, name: str, count: int) -> int:
    while True:
        for number in range(count):
            descriptor = os.open(folder / f"{name}.{number}.lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
            else:
                return descriptor
        time.sleep(_POLL_SECONDS)
