"""Write a file whose pixels come frame by frame."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ImplicitVRLittleEndian

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box
from airlock.pixels.colours import as_rewritten
from airlock.pixels.decode import Array, Layout, StoredImage
from airlock.pixels.mask import masked
from airlock.pixels.native import HALF_CHROMA, share_chroma

PIXEL_DATA = 0x7FE00010
MAX_ELEMENT_BYTES = 0xFFFFFFFE
UNDEFINED = 0xFFFFFFFF

Table = Literal["none", "basic", "extended"]
"""Which table of frames an encapsulated file has (PS3.5 section A.4)."""


def native_frames(image: StoredImage, boxes: dict[int, list[Box]]) -> Iterator[tuple[Layout, Array]]:
    """Yield every frame, decoded and masked.

    :raises InstanceNotUnderstood: when one cannot be decoded, or they are of different kinds.
    """
    expected: Layout | None = None
    for stored in image.read():
        frame = as_rewritten(stored, image)
        expected = expected or frame.layout
        if frame.layout != expected:
            raise InstanceNotUnderstood("its frames are of different kinds")
        yield frame.layout, masked(frame, image.pixels, boxes.get(frame.number, []))


def write_native(
    part: Path, dataset: Dataset, total: int, layout: Layout, first: Array, rest: Iterator[tuple[Layout, Array]]
) -> None:
    """Write a file with native pixels.

    :param total: bytes of all frames.
    """
    tail = _cut_tail(dataset)
    with part.open("wb") as stream:
        dcmwrite(stream, dataset, enforce_file_format=True)
        implicit = dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
        stream.write(struct.pack("<HH", 0x7FE0, 0x0010) + (b"" if implicit else b"OW\0\0"))
        stream.write(struct.pack("<I", total + total % 2))
        _write_pixels(stream, layout, first, rest)
        stream.write(b"\0" * (total % 2) + _encode(tail, implicit))


def write_encapsulated(
    part: Path, dataset: Dataset, frames: Iterable[bytes], count: int, table: Table = "none"
) -> None:
    """Write a file with compressed pixels, one fragment a frame (PS3.5 section A.4).

    :param count: number of frames.
    :param table: which table says where they are. Written with zeros, it is filled in when all frames are there.
    :raises InstanceNotUnderstood: when they are too long for a basic offset table.
    """
    tail = _cut_tail(dataset)
    with part.open("wb") as stream:
        dcmwrite(stream, dataset, enforce_file_format=True)
        start = stream.tell()
        stream.write(_tables(table, [0] * count, [0] * count))
        places = [0]
        for frame in frames:
            padded = frame + b"\0" * (len(frame) % 2)
            stream.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(padded)) + padded)
            places.append(places[-1] + 8 + len(padded))
        stream.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) + _encode(tail, implicit=False))
        if table == "basic" and places[-2] > UNDEFINED:
            raise InstanceNotUnderstood("its frames are too long for its offset table")
        stream.seek(start)
        stream.write(_tables(table, places[:-1], [b - a - 8 for a, b in itertools.pairwise(places)]))


def _tables(table: Table, offsets: list[int], lengths: list[int]) -> bytes:
    """Return what stands before the first frame: the extended tables (PS3.3 section C.7.6.3.1.8), the basic one."""
    extended = b""
    if table == "extended":
        for number, values in ((1, offsets), (2, lengths)):
            content = struct.pack(f"<{len(values)}Q", *values)
            extended += struct.pack("<HH2sHI", 0x7FE0, number, b"OV", 0, len(content)) + content
    basic = struct.pack(f"<{len(offsets)}I", *offsets) if table == "basic" else b""
    pixel_data = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED)
    return extended + pixel_data + struct.pack("<HHI", 0xFFFE, 0xE000, len(basic)) + basic


def _cut_tail(dataset: Dataset) -> Dataset:
    """Remove and return what stands behind the pixels."""
    tail = Dataset()
    for tag in [t for t in dataset.keys() if t > PIXEL_DATA]:  # noqa: SIM118 - iterating a Dataset parses its values
        tail[tag] = dataset[tag]
        del dataset[tag]
    return tail


def _write_pixels(stream: BinaryIO, layout: Layout, first: Array, rest: Iterator[tuple[Layout, Array]]) -> None:
    if layout.bits_allocated != 1:
        for pixels in itertools.chain([first], (pixels for _, pixels in rest)):
            stream.write(_little(share_chroma(pixels) if layout.photometric in HALF_CHROMA else pixels))
        return
    # One bit per pixel: frames follow each other without gaps (PS3.5 section 8.1.1).
    waiting = first.ravel()
    for _, pixels in rest:
        whole = waiting.size // 8 * 8
        stream.write(np.packbits(waiting[:whole], bitorder="little").tobytes())
        waiting = np.concatenate([waiting[whole:], pixels.ravel()])
    stream.write(np.packbits(waiting, bitorder="little").tobytes())


def _little(pixels: Array) -> bytes:
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _encode(dataset: Dataset, implicit: bool) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())
