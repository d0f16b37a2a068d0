"""Write files that appear complete or not at all; their pixel data is moved by :mod:`airlock.dicomio.moving`."""

from __future__ import annotations

import os
from contextlib import suppress

from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK_BYTES = 1 << 18


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
        self._descriptor = _open(self._part, os.O_TRUNC, 0o700)
        return self._descriptor

    def __exit__(self, kind: object, *_error: object) -> None:
        os.close(self._descriptor)
        if kind is None:
            os.rename(self._part, self._target)  # noqa: PTH104 - making paths takes longer than the call
        else:
            with suppress(FileNotFoundError):
                os.unlink(self._part)  # noqa: PTH108 - as above


class HiddenFile:
    """A new file below a folder that nobody looks at meanwhile; entering gives its descriptor. It goes when that fails.

    `path` is where it is below the folder.

    :param path: where it is to be, where there is none yet. Its folders are made with the usual permissions.
    :param otherwise: where it is to be else.
    :raises OSError: when it cannot be made.
    """

    __slots__ = ("_descriptor", "_folder", "_otherwise", "path")

    def __init__(self, folder: str, path: str, otherwise: str) -> None:
        self._folder, self.path, self._otherwise = folder, path, otherwise

    def __enter__(self) -> int:
        try:
            self._descriptor = _open(f"{self._folder}/{self.path}", os.O_EXCL, 0o777)
        except FileExistsError:
            self.path = self._otherwise
            self._descriptor = _open(f"{self._folder}/{self.path}", os.O_EXCL, 0o777)
        return self._descriptor

    def __exit__(self, kind: object, *_error: object) -> None:
        os.close(self._descriptor)
        if kind is not None:
            os.unlink(f"{self._folder}/{self.path}")  # noqa: PTH108 - as above


def _open(path: str, flags: int, folder_mode: int) -> int:
    """Open a new file for writing; its folder is made when it is missing."""
    flags |= os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        make_folder(path.rpartition("/")[0], folder_mode)
        return os.open(path, flags, 0o600)


def make_folder(path: str, mode: int) -> None:
    """Make a folder, and those above it with the usual permissions."""
    try:
        os.mkdir(path, mode)  # noqa: PTH102 - as above
    except FileNotFoundError:
        os.makedirs(path.rpartition("/")[0], exist_ok=True)  # noqa: PTH103 - as above
        make_folder(path, mode)
    except FileExistsError:
        pass


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write bytes, all of them.

    :raises OSError: when that is not possible.
    """
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def same_content(one: str, other: str) -> bool:
    """Whether two files hold the same bytes."""
    with open(one, "rb") as a, open(other, "rb") as b:  # noqa: PTH123 - as above
        if os.fstat(a.fileno()).st_size != os.fstat(b.fileno()).st_size:
            return False
        while block := a.read(_BLOCK_BYTES):
            if block != b.read(_BLOCK_BYTES):
                return False
    return True


def sync(folder: str | Path) -> None:
    """Wait until everything that was written to the file system of a folder is on the disk.

    Once for a study: the same for each file costs more than all the rest of the work.

    :raises OSError: when something could not be written.
    """
    import ctypes  # noqa: PLC0415 - beside its only use

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
