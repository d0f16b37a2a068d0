"""Turns: how many of this machine do something at a time. Whoever dies gives its place back."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from airlock.errors import TurnAwaited

ABSENT_SECONDS = 60.0
"""Who waits and was not seen for so long is passed over; when it comes back, it stands where it stood."""
FORGOTTEN_SECONDS = 3600.0
"""After so long it is gone, and stands at the end when it comes back."""


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


@dataclass(frozen=True)
class Line:
    """Places that are limited, and the line of those that wait for one.

    A place is a locked file, so that a process that dies gives its place back. Who waits has a file as well, named
    after the moment at which it began to wait. So a line needs no process that waits in it: whoever asks is told
    whether its turn has come.

    :param folder: for these files.
    :param name: of what is limited.
    :param count: of the places; 0 for no limit.
    """

    folder: str
    name: str
    count: int

    @contextmanager
    def place(self, who: str) -> Iterator[None]:
        """Have a place in the block, and wait in the line no more.

        :param who: the id of a transfer.
        :raises TurnAwaited: when there is none, or others have waited for longer: then it waits in the line.
        """
        if not self.count:
            yield
            return
        with self._alone():
            before = self._before(who)
            free = self._free()
            has_turn = before < len(free)
            for descriptor in free[1:] if has_turn else free:
                os.close(descriptor)
            if has_turn:
                self._leave(who)
            else:
                self._stay(who)
        if not has_turn:
            raise TurnAwaited(
                f"All places are taken ({self.name}, at_a_time: {self.count}), and {before} transfers wait before this "
                "one. It goes on by itself when its turn comes.",
                (self,),
            )
        try:
            yield
        finally:
            os.close(free[0])

    def has_turn(self, who: str) -> bool:
        """Whether there is a place for one that waits, and nobody before it. Who asks is seen in the line."""
        with self._alone():
            self._stay(who)
            free = self._free()
            for descriptor in free:
                os.close(descriptor)
            return self._before(who) < len(free)

    @property
    def _safe(self) -> str:
        return re.sub(r"[^A-Za-z0-9_.-]", "_", self.name)

    @property
    def _waiting(self) -> Path:
        return Path(self.folder, f"{self._safe}.line")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else look or take meanwhile: who looks locks what it finds free for a moment."""
        self._waiting.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = self._open("line")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _open(self, part: str) -> int:
        path = Path(self.folder, f"{self._safe}.{part}.lock")
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def _free(self) -> list[int]:
        """Lock what is free, and return the open files."""
        free = []
        for number in range(self.count):
            descriptor = self._open(str(number))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
            else:
                free.append(descriptor)
        return free

    def _before(self, who: str) -> int:
        """Count those that were seen lately and have waited for longer."""
        now, before = time.time(), 0
        for path in sorted(self._waiting.iterdir()):
            if _of(path) == who:
                break
            with suppress(FileNotFoundError):
                absent = now - path.stat().st_mtime
                before += absent < ABSENT_SECONDS
                if absent > FORGOTTEN_SECONDS:
                    path.unlink()
        return before

    def _mine(self, who: str) -> list[Path]:
        return [path for path in self._waiting.iterdir() if _of(path) == who]

    def _stay(self, who: str) -> None:
        for path in self._mine(who) or [self._waiting / f"{time.time_ns():020}.{who}"]:
            path.touch(mode=0o600)

    def _leave(self, who: str) -> None:
        for path in self._mine(who):
            path.unlink(missing_ok=True)


def _of(path: Path) -> str:
    return path.name.partition(".")[2]
