"""Remarks in pixel data: which of them go. Zeros stand in their place, so that everything else stays where it was."""

from __future__ import annotations

import os
import re

from airlock.dicomio.pixels import PixelData
from airlock.dicomio.remarks import Kind, Read, Remark, remark_behind, remarks_in_frames
from airlock.identity.identifiers import Identifiers
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from airlock.dicomio.head import Head
    from airlock.dicomio.part10 import Instance

Span = tuple[int, int]
_UNDEFINED = 0xFFFFFFFF
# SamplesPerPixel, Rows, Columns and BitsAllocated; NumberOfFrames is text.
_FACTORS = (0x0002, 0x0010, 0x0011, 0x0100)
_KEYWORDS = ("SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "NumberOfFrames")
_FRAMES = {
    False: re.compile(rb"\x28\0\x08\0IS(.)\0([0-9 ]{1,12})", re.DOTALL),
    True: re.compile(rb"\x28\0\x08\0(.)\0\0\0([0-9 ]{1,12})", re.DOTALL),
}


def spans_to_clear(instance: Instance, identifiers: Identifiers) -> list[Span]:
    """Return where in the value of an instance's pixel data zeros are to be written: offset and length."""
    pixels, stream = instance.pixels, instance.stream
    if pixels is None:
        return []

    def read(offset: int, count: int) -> bytes:
        stream.seek(pixels.offset + offset)
        return stream.read(max(0, min(count, pixels.size - offset)))

    found = _remarks(read, pixels.size, _size_of_image(instance.dataset), encapsulated=pixels.length == _UNDEFINED)
    return [span for remark in found for span in _to_clear(remark, identifiers)]


def any_to_clear(head: Head, position: int, pixels: PixelData, identifiers: Identifiers) -> bool:
    """Whether something in the pixel data of an open file has to go.

    :param position: where its header ends.
    """
    data, start, size = head.data, pixels.offset, pixels.size

    def read(offset: int, count: int) -> bytes:
        count = max(0, min(count, size - offset))
        at = start + offset
        return data[at : at + count] if at + count <= len(data) else os.pread(head.descriptor, count, at)

    encapsulated = pixels.header.endswith(b"\xff\xff\xff\xff")
    expected = 0 if encapsulated else _size_in_header(data[:position], implicit=head.implicit)
    found = _remarks(read, size, expected, encapsulated=encapsulated)
    return any(_to_clear(remark, identifiers) for remark in found)


def _remarks(read: Read, size: int, expected: int, *, encapsulated: bool) -> Iterable[Remark]:
    return remarks_in_frames(read, size) if encapsulated else remark_behind(read, size, expected)


def _to_clear(remark: Remark, identifiers: Identifiers) -> list[Span]:
    """Return what of a remark has to go: what cameras note of a person's visit always has."""
    offset, data, kind = remark
    if not data.strip(b"\0"):
        return []
    if kind is Kind.LOOSE:
        found = identifiers.find(data.decode("latin-1"), free=False)
        return [(offset + start, end - start) for start, end in found]
    # What stands behind an image may be pixels of more images than were declared, in which short names are chance.
    goes = (
        kind is Kind.CAMERA
        or identifiers.in_bytes(data, dates=True)
        or (kind is Kind.TEXT and bool(identifiers.find(data.decode("latin-1"))))
    )
    return [(offset, len(data))] if goes else []


def _size_of_image(dataset: Dataset) -> int:
    """Return how many bytes an image has that is not compressed; 0 when that is not known."""
    values = [dataset.get(keyword, None) for keyword in _KEYWORDS]
    if values[-1] is None:
        values[-1] = 1
    size = 1
    for value in values:
        if not isinstance(value, int) or value < 1:
            return 0
        size *= int(value)
    return (size + 7) // 8


def _size_in_header(header: bytes, *, implicit: bool) -> int:
    """Return the same by the bytes of a header in little endian."""
    size = 1
    for number in _FACTORS:
        sign = b"\x28\0" + number.to_bytes(2, "little") + (b"\2\0\0\0" if implicit else b"US\2\0")
        at = header.find(sign) + 8
        if at < 8:
            return 0
        size *= int.from_bytes(header[at : at + 2], "little")
    frames = _FRAMES[implicit].search(header)
    digits = frames[2][: frames[1][0]].strip() if frames else b"1"
    return (size * int(digits) + 7) // 8 if digits.isdigit() else 0
