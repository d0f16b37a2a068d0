"""Write what :mod:`airlock.dicomio.part10` read: a changed dataset around the same pixel data, copied, not decoded.

PS3.10 section 7, PS3.5 section 7.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from airlock.dicomio.encodings import BIG_ENDIAN, DEFLATED, IMPLICIT
from airlock.dicomio.meta import meta_bytes
from airlock.dicomio.part10 import UNDEFINED, Instance
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood

_COPY_BYTES = 1 << 20
_DEEPEST = 100


def write_instance(instance: Instance, target: Path, cleared: Iterable[tuple[int, int]] = ()) -> int:
    """Write an instance to a file that appears complete or not at all; return its size in bytes.

    Preamble and file meta information are this program's own.

    :param cleared: where zeros are written in the value of the pixel data: offset and length.
    :raises OSError: when it cannot be written.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            dataset = instance.dataset
            file.write(meta_bytes(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), instance.syntax))
            _write_body(instance, file, cleared)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def encode(instance: Instance) -> tuple[bytes, bytes]:
    """Return the encoded dataset before and after its pixel data.

    :raises InstanceNotUnderstood: when its sequences are nested too deeply.
    """
    dataset, pixels = instance.dataset, instance.pixels
    check_depth(dataset)
    if pixels is None or max(dataset.keys(), default=0) < pixels.tag:
        return _encode(instance, dataset), b""
    character_set = dataset.get("SpecificCharacterSet", None) or "iso8859"
    following = dataset[pixels.tag :]
    return _encode(instance, dataset[: pixels.tag]), _encode(instance, following, character_set)


def check_depth(dataset: Dataset) -> None:
    """Find out what pydicom, which calls itself for each level, would fail at after a very long time.

    :raises InstanceNotUnderstood: when its sequences are nested too deeply.
    """
    level: list[Any] = [dataset]
    depth = 0
    while level:
        if depth > _DEEPEST:
            raise InstanceNotUnderstood("Its sequences are nested too deeply to be processed.")
        elements = [element for current in level for element in current.values()]
        level = [item for element in elements if _is_sequence(element) for item in element.value or ()]
        depth += 1


def _is_sequence(element: object) -> bool:
    return isinstance(element, DataElement) and element.VR == "SQ"


def _encode(instance: Instance, dataset: Dataset, character_set: str | list[str] = "iso8859") -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = instance.syntax == IMPLICIT
    buffer.is_little_endian = instance.syntax != BIG_ENDIAN
    with quiet():
        write_dataset(buffer, dataset, character_set)
    return buffer.getvalue()


def _write_body(instance: Instance, file: BinaryIO, cleared: Iterable[tuple[int, int]]) -> None:
    before, after = encode(instance)
    if instance.syntax != DEFLATED:
        file.write(before)
        _copy_pixels(instance, file, cleared)
        file.write(after)
        return
    body = io.BytesIO()
    body.write(before)
    _copy_pixels(instance, body, cleared)
    body.write(after)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(body.getbuffer()) + deflater.flush()
    # PS3.5 section A.5: padded to even length.
    file.write(deflated + b"\0" * (len(deflated) % 2))


def _copy_pixels(instance: Instance, file: BinaryIO, cleared: Iterable[tuple[int, int]]) -> None:
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
    start = file.tell()
    _copy(instance.stream, file, pixels.size)
    for offset, size in cleared:
        file.seek(start + offset)
        file.write(bytes(size))
    file.seek(start + pixels.size)
    if odd:
        file.write(b"\0")


def _copy(source: BinaryIO, target: BinaryIO, size: int) -> None:
    left = size
    while left and (block := source.read(min(_COPY_BYTES, left))):
        target.write(block)
        left -= len(block)
    if left:
        raise OSError("the source became shorter while it was copied")
