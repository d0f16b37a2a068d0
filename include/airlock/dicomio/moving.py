"""Move a part of one file to the end of another inside of the kernel, a piece at a time, through a pipe of our own.

`sendfile` does the same through a pipe of 16 pages. One of 256 takes less time: much of it is what the kernel does
around every piece.
"""

from __future__ import annotations

import errno
import os
from _thread import get_ident
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial

from airlock.dicomio.copying import write_all

_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032
_PIPE_BYTES = 1 << 20
"""What any user may have (`/proc/sys/fs/pipe-max-size`)."""
_BLOCK_BYTES = 1 << 18
_SHORTER = "the source became shorter while it was copied"
_NOT_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EOVERFLOW)


def move_bytes(source: int, target: int, offset: int, size: int) -> None:
    """Append a part of one open file to another, without having it in memory.

    :raises OSError: when the source is shorter, or the target cannot be written.
    """
    moved = _move_in_kernel(source, target, offset, size)
    _move_through_memory(source, target, offset + moved, size - moved)


def moved_at_once(source: int, target: int, offset: int, size: int) -> Callable[[], None]:
    """Return what does the same in one call of the kernel, for which other threads need not wait.

    :param source: it may be closed before that is called, and
    :param target: as well; nothing else may be written to it.
    :raises OSError: when there are too many open files; else as above, when that is called.
    """
    reading = os.dup(source)
    try:
        writing = os.dup(target)
    except OSError:
        os.close(reading)
        raise
    return partial(_send, reading, writing, offset, size)


def _send(reading: int, writing: int, offset: int, size: int) -> None:
    try:
        while size:
            moved = os.sendfile(writing, reading, offset, size)
            if not moved:
                raise OSError(errno.EIO, _SHORTER)
            offset, size = offset + moved, size - moved
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
        _move_through_memory(reading, writing, offset, size)
    finally:
        os.close(reading)
        os.close(writing)


def _move_in_kernel(source: int, target: int, offset: int, size: int) -> int:
    """Return how many of the bytes were moved; not all of them where a file system does not let the kernel do it."""
    moved = 0
    try:
        # As long as it is known here, it is not closed.
        pipe = _pipe(os.getpid(), get_ident())
        reading, writing, room = pipe
        while moved < size:
            inside = os.splice(source, writing, min(size - moved, room), offset_src=offset + moved)
            if not inside:
                raise OSError(errno.EIO, _SHORTER)
            while inside:
                emptied = os.splice(reading, target, inside)
                inside, moved = inside - emptied, moved + emptied
    except BaseException as error:
        # What may be left in it must not become a part of another file.
        _pipe.cache_clear()
        if not isinstance(error, OSError) or error.errno not in _NOT_HERE:
            raise
    return moved


class _Pipe(tuple[int, int, int]):
    """Both ends of a pipe, and how many bytes it takes; it is closed when nobody has it any more."""

    __slots__ = ()

    def __del__(self) -> None:
        for end in self[:2]:
            os.close(end)


# By process and thread: of two that share one, each would write what the other read.
@lru_cache(maxsize=2)
def _pipe(_process: int, _thread: int) -> _Pipe:
    import fcntl  # noqa: PLC0415 - beside its only use

    reading, writing = os.pipe()
    # Who has too many pipes keeps a small one.
    with suppress(OSError):
        fcntl.fcntl(writing, _F_SETPIPE_SZ, _PIPE_BYTES)
    return _Pipe((reading, writing, fcntl.fcntl(writing, _F_GETPIPE_SZ)))


def _move_through_memory(source: int, target: int, offset: int, size: int) -> None:
    """Do the same where the kernel does not."""
    while size:
        block = os.pread(source, min(size, _BLOCK_BYTES), offset)
        if not block:
            raise OSError(errno.EIO, _SHORTER)
        write_all(target, block)
        offset, size = offset + len(block), size - len(block)
