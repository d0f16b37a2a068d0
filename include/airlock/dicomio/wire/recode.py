"""Writes a dataset in the other uncompressed little endian encoding: explicit or implicit VR (PS3.5 annex A).

Nothing is lost: values stay, pixel data is copied as it is. pydicom does it, as it knows the VR of every attribute;
it is imported only when a peer refuses the encoding that a file has.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from airlock.dicomio.encodings import IMPLICIT
from airlock.dicomio.part10 import Pixels, open_instance
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood

_VALUE_REPRESENTATIONS = {0x7FE00008: b"OF", 0x7FE00009: b"OD", 0x7FE00010: b"OW"}  # PS3.5 section A.1


class Chain(io.RawIOBase):
    """Bytes, and after them those that a file holds from where it stands."""

    def __init__(self, first: bytes, then: IO[bytes]) -> None:
        self._first = memoryview(first)
        self._then = then

    def readv(self, buffers: Sequence[memoryview]) -> int:
        """Fill the first of some buffers as far as :meth:`readinto` reaches."""
        return self.readinto(buffers[0])

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # only memoryviews come
        """Fill a buffer as far as one of the two reaches."""
        if not self._first:
            data = self._then.read(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        count = min(len(buffer), len(self._first))
        buffer[:count] = self._first[:count]
        self._first = self._first[count:]
        return count


@contextmanager
def recoded(path: str | Path, transfer_syntax_uid: str) -> Iterator[tuple[Chain, int]]:
    """Yield a stream of the dataset in another encoding, and how many bytes it has.

    The file's pixel data is not held in memory, unless something follows it.

    :param transfer_syntax_uid: implicit or explicit VR little endian; the file is in the other one.
    :raises InstanceNotUnderstood: when the dataset cannot be written that way.
    :raises OSError: when the file cannot be read.
    """
    path = Path(path)
    with open_instance(path) as instance:
        pixels = instance.pixels
        if pixels is None or pixels.offset + pixels.size != path.stat().st_size:
            data = _encode_whole(path, transfer_syntax_uid)
            yield Chain(data, io.BytesIO()), len(data)
            return
        head = _write(instance.dataset, transfer_syntax_uid) + _pixel_head(pixels, transfer_syntax_uid)
        instance.stream.seek(pixels.offset)
        yield Chain(head, instance.stream), len(head) + pixels.size


def _pixel_head(pixels: Pixels, syntax: str) -> bytes:
    head = struct.pack("<HH", pixels.tag >> 16, pixels.tag & 0xFFFF)
    if syntax != IMPLICIT:
        head += _VALUE_REPRESENTATIONS[pixels.tag] + b"\0\0"
    return head + struct.pack("<L", pixels.length)


def _encode_whole(path: Path, syntax: str) -> bytes:
    try:
        dataset = dcmread(path)
    except Exception:  # noqa: BLE001 - a parser's error can be of any kind, and quotes values
        raise InstanceNotUnderstood("Its dataset is damaged (PS3.5 section 7).") from None
    return _write(dataset, syntax)


def _write(dataset: Dataset, syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax == IMPLICIT, True
    try:
        with quiet():
            write_dataset(buffer, dataset)
    except Exception:  # noqa: BLE001 - as above
        raise InstanceNotUnderstood("A value cannot be written in the other encoding (PS3.5 annex A).") from None
    return bytes(buffer.getvalue())
