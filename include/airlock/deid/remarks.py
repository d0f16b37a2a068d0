"""Remarks in pixel data: which of them go. Zeros stand in their place, so that everything else stays where it was."""

from __future__ import annotations

import os

from airlock.dicomio.pixels import PixelData
from airlock.dicomio.remarks import CAMERA, LOOSE, TEXT, Read, Remark, remark_behind, remarks_in_frames
from airlock.identity.identifiers import Identifiers
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from airlock.dicomio.head import Head
    from airlock.dicomio.part10 import Instance

Span = tuple[int, int]
_UNDEFINED = 0xFFFFFFFF
# How SamplesPerPixel, Rows, Columns and BitsAllocated begin, in implicit VR and not.
_SIGNS = {
    implicit: [b"\x28\0" + tag + head for tag in (b"\2\0", b"\x10\0", b"\x11\0", b"\0\1")]
    for implicit, head in ((True, b"\2\0\0\0"), (False, b"US\2\0"))
}
_FRAMES = b"\x28\0\x08\0"
# Between the first of these attributes and the last.
_MOST_BYTES = 512
_KEYWORDS = ("SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "NumberOfFrames")


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


class Remarks:
    """Looks for what has to go in the pixel data of open files, one after the other."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        # Where the attributes of the image begin: mostly at the same place in the next file.
        self._begin = 0

    def any_to_clear(self, head: Head, position: int, pixels: PixelData) -> bool:
        """Whether something in the pixel data of a file has to go.

        :param position: where its header ends.
        """
        data, start, size = head.data, pixels.offset, pixels.size

        def read(offset: int, count: int) -> bytes:
            count = max(0, min(count, size - offset))
            at = start + offset
            return data[at : at + count] if at + count <= len(data) else os.pread(head.descriptor, count, at)

        encapsulated = pixels.header.endswith(b"\xff\xff\xff\xff")
        expected = 0 if encapsulated else self._size_of_image(data, position, implicit=head.implicit)
        found = _remarks(read, size, expected, encapsulated=encapsulated)
        return any(_to_clear(remark, self._identifiers) for remark in found)

    def _size_of_image(self, data: bytes, end: int, *, implicit: bool) -> int:
        """Return how many bytes an image has that is not compressed, by its header; 0 when that is not known."""
        signs = _SIGNS[implicit]
        if not data.startswith(signs[0], self._begin):
            self._begin = max(0, data.find(signs[0], 0, end))
        begin, end = self._begin, min(end, self._begin + _MOST_BYTES)
        size = 1
        for sign in signs:
            at = data.find(sign, begin, end) + 8
            if at < 8:
                return 0
            size *= data[at] | data[at + 1] << 8
        frames = data.find(_FRAMES, begin, end) + 8
        if frames >= 8:
            length = data[frames - 4] if implicit else data[frames - 2]
            digits = data[frames : frames + length].strip(b" \0")
            size *= int(digits) if digits.isdigit() else 0
        return (size + 7) // 8


def _remarks(read: Read, size: int, expected: int, *, encapsulated: bool) -> Iterable[Remark]:
    return remarks_in_frames(read, size) if encapsulated else remark_behind(read, size, expected)


def _to_clear(remark: Remark, identifiers: Identifiers) -> list[Span]:
    """Return what of a remark has to go: what cameras note of a person's visit always has."""
    offset, data, kind = remark
    if not data.strip(b"\0"):
        return []
    if kind is LOOSE:
        found = identifiers.find(data.decode("latin-1"), free=False)
        return [(offset + start, end - start) for start, end in found]
    # What stands behind an image may be pixels of more images than were declared, in which short names are chance.
    goes = (
        kind is CAMERA
        or identifiers.in_bytes(data, dates=True)
        or (kind is TEXT and bool(identifiers.find(data.decode("latin-1"))))
    )
    return [(offset, len(data))] if goes else []


def _size_of_image(dataset: Dataset) -> int:
    """Return the same, by its dataset."""
    values = [dataset.get(keyword, None) for keyword in _KEYWORDS]
    if values[-1] is None:
        values[-1] = 1
    size = 1
    for value in values:
        if not isinstance(value, int) or value < 1:
            return 0
        size *= int(value)
    return (size + 7) // 8
