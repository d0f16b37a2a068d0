"""Write files whose pixel data is moved from another file, a piece at a time."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from pathlib import Path

_BLOCK_BYTES = 1 << 18


class _Memory(threading.local):
    """Of each thread its own: two that shared it would write each other's pixels."""

    def __init__(self) -> None:
        self.block = memoryview(bytearray(_BLOCK_BYTES))


_memory = _Memory()


class NewFile:
    """A file that appears complete when its block ends, or not at all; entering gives its descriptor.

    :param target: path; its folder is made when it is missing.
    :raises OSError: when it cannot be made.
    """

    __slots__ = ("_descriptor", "_part", "_target")

    def __init__(self, target: str) -> None:
        folder, _, name = target.rpartition("/")
        self._target, self._part = target, f"{folder}/.{name}.{os.getpid()}.part"

    def __enter__(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._part, flags, 0o600)
        except FileNotFoundError:
            Path(self._target).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._descriptor = os.open(self._part, flags, 0o600)
        return self._descriptor

    def __exit__(self, kind: object, *_error: object) -> None:
        os.close(self._descriptor)
        if kind is None:
            os.rename(self._part, self._target)  # noqa: PTH104 - making paths takes longer than the call
        else:
            Path(self._part).unlink(missing_ok=True)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write bytes, all of them.

    :raises OSError: when that is not possible.
    """
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def move_bytes(source: int, target: int, offset: int, size: int) -> None:
    """Append a part of one open file to another, through a small piece of memory that stays in the processor's cache.

    The kernel's own ways to copy between files are slower here: headers of another length shift the pixel data against
    the pages of memory, and then each page is handled twice.

    :raises OSError: when the source is shorter, or the target cannot be written.
    """
    block = _memory.block
    while size:
        moved = os.preadv(source, [block[:size]], offset)
        if not moved:
            raise OSError(errno.EIO, "the source became shorter while it was copied")
        write_all(target, block[:moved])
        offset, size = offset + moved, size - moved


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(_BLOCK_BYTES):
            if block != b.read(_BLOCK_BYTES):
                return False
    return True


def sync(folder: Path) -> None:
    """Wait until everything that was written to the file system of a folder is on the disk.

    Once for a study: the same for each file costs more than all the rest of the work.

    :raises OSError: when something could not be written.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
