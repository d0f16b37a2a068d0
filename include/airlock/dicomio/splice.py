"""Write what :mod:`airlock.dicomio.part10` read: a changed dataset around the same pixel data, copied, not decoded.

PS3.10 section 7, PS3.5 section 7.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID

from airlock.dicomio.encodings import BIG_ENDIAN, DEFLATED, IMPLICIT
from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from airlock.dicomio.part10 import UNDEFINED, Instance
from airlock.dicomio.quiet import quiet

_COPY_BYTES = 1 << 20


def write_instance(instance: Instance, target: Path) -> int:
    """Write an instance to a file that appears complete or not at all; return its size in bytes.

    Preamble and file meta information are this program's own.

    :raises OSError: when it cannot be written.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\0" * 128 + b"DICM" + _meta(instance))
            _write_body(instance, file)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def _meta(instance: Instance) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = instance.dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = instance.dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(instance.syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = DicomBytesIO()
    with quiet():
        write_file_meta_info(buffer, meta)
    return buffer.getvalue()


def encode(instance: Instance) -> bytes:
    """Return the encoded dataset without its pixel data."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = instance.syntax == IMPLICIT
    buffer.is_little_endian = instance.syntax != BIG_ENDIAN
    with quiet():
        write_dataset(buffer, instance.dataset)
    return buffer.getvalue()


def _write_body(instance: Instance, file: BinaryIO) -> None:
    encoded = encode(instance)
    if instance.syntax != DEFLATED:
        file.write(encoded)
        _copy_pixels(instance, file)
        return
    body = io.BytesIO()
    body.write(encoded)
    _copy_pixels(instance, body)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(body.getbuffer()) + deflater.flush()
    # PS3.5 section A.5: padded to even length.
    file.write(deflated + b"\0" * (len(deflated) % 2))


def _copy_pixels(instance: Instance, file: BinaryIO) -> None:
    pixels = instance.pixels
    if pixels is None:
        return
    order = ">" if instance.syntax == BIG_ENDIAN else "<"
    head = struct.pack(f"{order}HH", pixels.tag >> 16, pixels.tag & 0xFFFF)
    # PS3.5 section 7.1.1: an odd length is not legal; some devices write it.
    odd = pixels.length != UNDEFINED and pixels.size % 2
    length = pixels.length + 1 if odd else pixels.length
    if instance.syntax != IMPLICIT:
        head += pixels.vr + b"\0\0"
    file.write(head + struct.pack(f"{order}L", length))
    instance.stream.seek(pixels.offset)
    _copy(instance.stream, file, pixels.size)
    if odd:
        file.write(b"\0")


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    left = size
    while left and (block := source.read(min(_COPY_BYTES, left))):
        target.write(block)
        left -= len(block)
    if left:
        raise OSError("the source became shorter while it was copied")


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as a, other.open("rb") as b:
        while block := a.read(_COPY_BYTES):
            if block != b.read(_COPY_BYTES):
                return False
    return True
