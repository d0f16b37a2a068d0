"""Write files whose pixel data the kernel moves from another file, without it passing through this program."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BLOCK_BYTES = 1 << 20
# What a file system says that cannot do it, or not with this other one.
_NOT_POSSIBLE = frozenset((errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM))
Mover = Callable[[int, int, int, int], int]


@contextmanager
def new_file(target: Path) -> Iterator[int]:
    """Yield the descriptor of a file that appears complete when the block ends, or not at all.

    :raises OSError: when it cannot be made.
    """
    part = f"{target.parent}/.{target.name}.{os.getpid()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        descriptor = os.open(part, flags, 0o600)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(part, flags, 0o600)
    try:
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        os.rename(part, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise


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
