"""Write files whose pixel data the kernel moves from another file, without it passing through this program."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

_BLOCK_BYTES = 1 << 20
# What a file system says that cannot do it, or not with this other one.
_NOT_POSSIBLE = frozenset((errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM))
Mover = Callable[[int, int, int, int], int]


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


def write_all(descriptor: int, data: bytes) -> None:
    """Write bytes, all of them.

    :raises OSError: when that is not possible.
    """
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _copy_range(source: int, target: int, offset: int, size: int) -> int:
    return os.copy_file_range(source, target, size, offset)


def _send_file(source: int, target: int, offset: int, size: int) -> int:
    return os.sendfile(target, source, offset, size)


def _read_and_write(source: int, target: int, offset: int, size: int) -> int:
    block = os.pread(source, min(size, _BLOCK_BYTES), offset)
    write_all(target, block)
    return len(block)


_movers: list[Mover] = [_copy_range, _send_file, _read_and_write]


def move_bytes(source: int, target: int, offset: int, size: int) -> None:
    """Append a part of one open file to another.

    :raises OSError: when the source is shorter, or the target cannot be written.
    """
    while size:
        try:
            moved = _movers[0](source, target, offset, size)
        except OSError as error:
            if error.errno not in _NOT_POSSIBLE or len(_movers) == 1:
                raise
            # Another file may lie elsewhere, where it is possible; but a study lies in one place.
            del _movers[0]
            continue
        if not moved:
            raise OSError(errno.EIO, "the source became shorter while it was copied")
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
