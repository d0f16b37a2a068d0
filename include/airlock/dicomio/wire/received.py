"""A DICOM file that came over the network and has no name of its own yet: what can be asked of it, and done with it."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from airlock.dicomio.encodings import is_known
from airlock.dicomio.header import read_values
from airlock.dicomio.wire import glance
from airlock.dicomio.wire.sink import Incoming

LOOK_BYTES = 1 << 14
_COMPARE_BYTES = 1 << 18
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
_numbers = itertools.count()
_naming = threading.Lock()


class ReceivedFile:
    """A file (PS3.10) below a name that nobody else knows.

    :param path: where it is. A text: making a path takes as long as making the file.
    :param descriptor: open for reading; closed by :meth:`discard`.
    :param instance: what the file meta information says.
    :param offset: where the dataset begins.
    :param sync: whether it is on the disk, not only with the operating system, before it gets its name.
    """

    shared = False
    """Whether others may give the same file names of theirs."""

    def __init__(self, path: str, descriptor: int, instance: Incoming, offset: int, *, sync: bool) -> None:
        self._path = path
        self._descriptor = descriptor
        self.instance = instance
        self.offset = offset
        self._sync = sync
        self._head = b""
        self.size = 0

    @property
    def readable(self) -> bool:
        """Whether it is known how its dataset is encoded."""
        return is_known(self.instance.transfer_syntax_uid)

    def glimpse(self) -> Mapping[str, str] | None:
        """Return as :meth:`look` what the first bytes tell; None when that is not certain. It need not be whole."""
        found = glance.look(self._head, self.instance.transfer_syntax_uid)
        return None if found is None else {_NAMES[tag]: uid for tag, uid in found.items()}

    def look(self) -> Mapping[str, str]:
        """Return `sop_class_uid`, `sop_instance_uid`, `study_instance_uid` and `series_instance_uid`, as far as it has.

        :raises UnreadableInstance: when its dataset is broken, or in an encoding that is not known.
        :raises OSError: when it cannot be read.
        """
        found = self.glimpse()
        if found is not None:
            return found
        with io.FileIO(self._descriptor, "rb", closefd=False) as raw, io.BufferedReader(raw) as file:
            file.seek(self.offset)
            return read_values(file, self.offset + self.size, self.instance.transfer_syntax_uid)

    def settle(self) -> None:
        """Have it on the disk, if it is to be.

        :raises OSError: when that is not possible.
        """
        if self._sync:
            os.fsync(self._descriptor)

    def keep(self, target: Path) -> bool:
        """Give it its name, unless there is a file of that name already; return whether it has it.

        :raises OSError: when that is not possible.
        """
        self.settle()
        try:
            _name(self._path, target, shared=self.shared)
        except FileExistsError:
            return False
        if self._sync:
            sync_folder(target.parent)
        self.discard()
        return True

    def same_as(self, other: Path) -> bool:
        """Whether another DICOM file has the same dataset, byte by byte, in the same encoding.

        :raises OSError: when it cannot be read.
        """
        with other.open("rb") as theirs:
            meta = glance.read_meta(theirs.read(_COMPARE_BYTES))
            size = os.fstat(theirs.fileno()).st_size
            if meta is None or meta.transfer_syntax_uid != self.instance.transfer_syntax_uid:
                return False
            if size - meta.offset != self.size:
                return False
            theirs.seek(meta.offset)
            with io.FileIO(self._descriptor, "rb", closefd=False) as ours:
                ours.seek(self.offset)
                while block := ours.read(_COMPARE_BYTES):
                    if theirs.read(len(block)) != block:
                        return False
        return True

    def digest(self) -> str:
        """Return the SHA-256 of the dataset.

        :raises OSError: when it cannot be read.
        """
        with io.FileIO(self._descriptor, "rb", closefd=False) as ours:
            ours.seek(self.offset)
            return hashlib.file_digest(ours, "sha256").hexdigest()

    def discard(self) -> None:
        """Let go of it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class OfferedFile(ReceivedFile):
    """A file that another process received and offers: it may be given a name here, and stays that process's.

    :raises OSError: when it is there no more.
    """

    shared = True

    def __init__(self, path: Path, instance: Incoming, offset: int, *, sync: bool = False) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        super().__init__(str(path), descriptor, instance, offset, sync=sync)
        try:
            self.size = max(0, os.fstat(descriptor).st_size - offset)
            self._head = os.pread(descriptor, LOOK_BYTES, offset)
        except OSError:
            self.discard()
            raise

    def read(self) -> bytes:
        """Return all of it.

        :raises OSError: when it cannot be read.
        """
        return os.pread(self._descriptor, self.offset + self.size, 0)


_NAMES = {
    glance.SOP_CLASS: "sop_class_uid",
    glance.SOP_INSTANCE: "sop_instance_uid",
    glance.STUDY: "study_instance_uid",
    glance.SERIES: "series_instance_uid",
}


def hidden_name(folder: Path) -> str:
    """Return a name for what is not whole yet, which no other process or thread uses."""
    return f"{folder}/.{os.getpid()}-{next(_numbers)}.part"


def _name(part: str, target: Path, *, shared: bool) -> None:
    """Rename a file, but never onto another one, not even one that appears at this moment.

    :raises FileExistsError: when there is one.
    """
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno == errno.EXDEV or (shared and error.errno in _NO_LINKS):
            _copy(part, target)
        elif error.errno in _NO_LINKS:
            _rename(part, target)
        else:
            raise


def _rename(part: str, target: Path) -> None:
    # A file system without hard links: at least no other thread of ours comes between.
    with _naming:
        if target.exists():
            raise FileExistsError from None
        Path(part).rename(target)


def _copy(part: str, target: Path) -> None:
    """Name a copy: the file is on another file system, or others need it."""
    copy = hidden_name(target.parent)
    try:
        with (
            Path(part).open("rb") as source,
            os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made,
        ):
            shutil.copyfileobj(source, made, _COMPARE_BYTES)
            made.flush()
            os.fsync(made.fileno())
        _name(copy, target, shared=False)
    finally:
        with suppress(OSError):
            os.unlink(copy)  # noqa: PTH108 - it is a text


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
