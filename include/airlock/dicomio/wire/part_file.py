"""A file that is being received: written as the bytes come, looked at once, visible when it is whole."""

from __future__ import annotations

import os
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from airlock.dicomio.header import UnreadableInstance
from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from airlock.dicomio.wire.received import LOOK_BYTES, ReceivedFile, hidden_name
from airlock.dicomio.wire.sink import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, Incoming

File_contra = TypeVar("File_contra", bound=ReceivedFile, contravariant=True)


class PartFile(ReceivedFile):
    """A DICOM file (PS3.10) below a name of its own, until it is kept or discarded.

    :param folder: where it is; on the file system of its later place.
    :param instance: what the file meta information says.
    :param sync: whether it is on the disk, not only with the operating system, before it gets its name.
    :raises OSError: when it cannot be made.
    """

    def __init__(self, folder: Path, instance: Incoming, *, sync: bool = False) -> None:
        path = hidden_name(folder)
        header = file_header(instance)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        super().__init__(path, descriptor, instance, len(header), sync=sync)
        self.told_at = time.monotonic()
        """When somebody was last told that it is coming; at first, when it began."""
        try:
            _write(descriptor, memoryview(header))
        except OSError:
            self.discard()
            raise

    @property
    def name(self) -> str:
        """The name that it has until it is kept."""
        return self._path.rpartition("/")[2]

    def write(self, data: memoryview) -> None:
        """Write the next bytes of the dataset.

        :raises OSError: when they cannot be written.
        """
        if self.size < LOOK_BYTES:
            self._head += data[: LOOK_BYTES - self.size]
        self.size += len(data)
        _write(self._descriptor, data)

    def discard(self) -> None:
        """Take away what has no name yet."""
        if self._descriptor >= 0:
            super().discard()
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - it is a text


class Taker(Protocol[File_contra]):
    """Decides about files that are whole. Called from several threads."""

    def take(self, part: File_contra) -> int:
        """Keep a whole file or not; return the status of the answer. Raises UnreadableInstance, OSError."""

    def answered(self, status: int) -> None:
        """Count an instance by the status of its answer."""


class Keeper(Taker[PartFile], Protocol):
    """Decides about the files that come. Called from the threads of all associations."""

    def write(self, part: PartFile, data: memoryview) -> None:
        """Write bytes; raises OSError."""


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
        return decided(None if self._failed else self._part, self._keeper)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._part.discard()


def decided(part: File_contra | None, taker: Taker[File_contra]) -> int:
    """Have a file kept or not, let go of it, and count it; return the status of the answer. Raises nothing.

    :param part: None when it could not be written.
    """
    status = OUT_OF_RESOURCES
    try:
        if part is not None:
            status = taker.take(part)
    except UnreadableInstance:
        status = CANNOT_UNDERSTAND
    except OSError:
        pass  # as when there is no room: it may be sent again
    finally:
        if part is not None:
            part.discard()
        taker.answered(status)
    return status


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
