"""Room: what is left on a disk, so that senders are told to come later before there is none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from airlock.dicomio.wire.part_file import PartFile

_CHECK_EVERY_BYTES = 16 << 20


class Room:
    """The file system of a folder, of which some is to be left.

    :param least_free_bytes: with less, nothing more is taken.
    """

    def __init__(self, folder: Path, least_free_bytes: int) -> None:
        self._folder = folder
        self._least_free_bytes = least_free_bytes

    @property
    def free_bytes(self) -> int:
        """What the file system has left for us; 0 when it doesn't say."""
        with suppress(OSError):
            state = os.statvfs(self._folder)
            return state.f_bavail * state.f_frsize
        return 0

    @property
    def full(self) -> bool:
        """Whether nothing more is taken now."""
        return self.free_bytes < self._least_free_bytes

    def write(self, part: PartFile, data: memoryview) -> None:
        """Write the next bytes of an instance.

        :raises OSError: when they cannot be written, or too little room would be left.
        """
        before = part.size
        part.write(data)
        if before // _CHECK_EVERY_BYTES != part.size // _CHECK_EVERY_BYTES and self.full:
            raise OSError("too little room is left")
