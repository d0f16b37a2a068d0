"""A file that is being received: written as the bytes come, looked at once, visible when it is whole."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import os
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from airlock.dicomio.encodings import is_known
from airlock.dicomio.header import UnreadableInstance, read_values
from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from airlock.dicomio.wire import glance
from airlock.dicomio.wire.sink import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, Incoming

_LOOK_BYTES = 1 << 14
_COMPARE_BYTES = 1 << 18
_numbers = itertools.count()
_naming = threading.Lock()


class PartFile:
    """A DICOM file (PS3.10) below a name of its own, until it is kept or discarded.

    :param folder: where it is; on the file system of its later place.
    :param instance: what the file meta information says.
    :param sync: whether it is on the disk, not only with the operating system, before it gets its name.
    :raises OSError: when it cannot be made.
    """

    def __init__(self, folder: Path, instance: Incoming, *, sync: bool = False) -> None:
        # A text: making a path takes as long as making the file.
        self._path = f"{folder}/.{os.getpid()}-{next(_numbers)}.part"
        self.instance = instance
        self._sync = sync
        self._head = b""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.size = 0
        header = file_header(instance)
        self._offset = len(header)
        try:
            _write(self._descriptor, memoryview(header))
        except OSError:
            self.discard()
            raise

    def write(self, data: memoryview) -> None:
        """Write the next bytes of the dataset.

        :raises OSError: when they cannot be written.
        """
        if self.size < _LOOK_BYTES:
            self._head += data[: _LOOK_BYTES - self.size]
        self.size += len(data)
        _write(self._descriptor, data)

    @property
    def readable(self) -> bool:
        """Whether it is known how its dataset is encoded."""
        return is_known(self.instance.transfer_syntax_uid)

    def look(self) -> Mapping[str, str]:
        """Return `sop_class_uid`, `sop_instance_uid`, `study_instance_uid` and `series_instance_uid`, as far as it has.

        :raises UnreadableInstance: when its dataset is broken, or in an encoding that is not known.
        :raises OSError: when it cannot be read.
        """
        syntax = self.instance.transfer_syntax_uid
        found = glance.look(self._head, syntax)
        if found is not None:
            return {_NAMES[tag]: uid for tag, uid in found.items()}
        with io.FileIO(self._descriptor, "rb", closefd=False) as raw, io.BufferedReader(raw) as file:
            file.seek(self._offset)
            return read_values(file, self._offset + self.size, syntax)

    def keep(self, target: Path) -> bool:
        """Give it its name, unless there is a file of that name already; return whether it has it.

        :raises OSError: when that is not possible.
        """
        if self._sync:
            os.fsync(self._descriptor)
        try:
            _name(self._path, target)
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
                ours.seek(self._offset)
                while block := ours.read(_COMPARE_BYTES):
                    if theirs.read(len(block)) != block:
                        return False
        return True

    def digest(self) -> str:
        """Return the SHA-256 of the dataset.

        :raises OSError: when it cannot be read.
        """
        with io.FileIO(self._descriptor, "rb", closefd=False) as ours:
            ours.seek(self._offset)
            return hashlib.file_digest(ours, "sha256").hexdigest()

    def discard(self) -> None:
        """Take away what has no name yet."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - it is a text


class Keeper(Protocol):
    """Decides about the files that come. Called from the threads of all associations."""

    def write(self, part: PartFile, data: memoryview) -> None:
        """Write bytes; raises OSError."""

    def take(self, part: PartFile) -> int:
        """Keep a whole file or not; return the status of the answer. Raises UnreadableInstance, OSError."""

    def answered(self, status: int) -> None:
        """Count an instance by the status of its answer."""


class FileReception:
    """An instance that is written to a file; see :class:`airlock.dicomio.wire.sink.Reception`."""

    def __init__(self, part: PartFile, keeper: Keeper) -> None:
        self._part, self._keeper = part, keeper
        self._failed = False

    def write(self, data: memoryview) -> None:
        """Write the next bytes; after the first failure, let them pass."""
        if self._failed:
            return
        try:
            self._keeper.write(self._part, data)
        except OSError:
            self._failed = True
            self._part.discard()

    def finish(self) -> int:
        """Have the file kept; return the status of the answer."""
        status = OUT_OF_RESOURCES
        try:
            if not self._failed:
                status = self._keeper.take(self._part)
        except UnreadableInstance:
            status = CANNOT_UNDERSTAND
        except OSError:
            pass  # as when there is no room: it may be sent again
        finally:
            self._part.discard()
            self._keeper.answered(status)
        return status

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._part.discard()


_NAMES = {
    glance.SOP_CLASS: "sop_class_uid",
    glance.SOP_INSTANCE: "sop_instance_uid",
    glance.STUDY: "study_instance_uid",
    glance.SERIES: "series_instance_uid",
}


def file_header(instance: Incoming) -> bytes:
    """Return preamble and file meta information (PS3.10 section 7.1)."""
    elements = b"".join(
        (
            struct.pack("<HH2sHLH", 2, 1, b"OB", 0, 2, 0x0100),
            _uid(0x0002, instance.sop_class_uid),
            _uid(0x0003, instance.sop_instance_uid),
            _uid(0x0010, instance.transfer_syntax_uid),
            _uid(0x0012, IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode().ljust(10)),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(elements)) + elements


def _uid(element: int, uid: str) -> bytes:
    raw = uid.encode("ascii")
    return _element(element, b"UI", raw + b"\0" * (len(raw) % 2))


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _name(part: str, target: Path) -> None:
    """Rename a file, but never onto another one, not even one that appears at this moment.

    :raises FileExistsError: when there is one.
    """
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        # A file system without hard links: at least no other thread of ours comes between.
        with _naming:
            if target.exists():
                raise FileExistsError from None
            Path(part).rename(target)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
