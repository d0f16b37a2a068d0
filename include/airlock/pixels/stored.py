"""Where the frames of a file lie, so that each is read when it is needed and memory doesn't grow with the file.

Native pixels are cut by their size (PS3.5 section 8.1.1); encapsulated ones by their fragments and offset tables (PS3.5
section A.4, PS3.3 section C.7.6.3.1.8). What is not certain is refused: a frame too many would be examined by nobody.
"""

from __future__ import annotations

import io
import itertools
import struct
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.native import turn_palettes

PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
LONG_VRS = ("OB", "OW", "OF", "OD", "OL", "OV", "UN", "UT", "UC", "UR", "SQ")
UNDEFINED = 0xFFFFFFFF
ITEM, END = 0xFFFEE000, 0xFFFEE0DD
LARGEST_DEFLATED = 1 << 30
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
STARTS = (b"\xff\xd8", b"\xff\x4f")
"""Start of a JPEG or JPEG-LS picture (SOI), of a JPEG 2000 code stream (SOC)."""

Span = tuple[int, int]
"""Offset and length."""


@dataclass(frozen=True)
class PixelElement:
    """Where the pixels of a file are.

    :param keyword: of the element, `PixelData` or one of the float kinds.
    :param vr: as the file has it.
    :param value: offset and length of a native value.
    :param fragments: of an encapsulated value, without the basic offset table.
    :param offsets: the basic offset table.
    """

    keyword: str
    vr: str
    value: Span = (0, 0)
    fragments: tuple[Span, ...] = ()
    offsets: tuple[int, ...] = ()


@dataclass
class StoredFile:
    """A file, parsed but for its pixels.

    :param dataset: all elements but the pixels.
    :param element: None when there are no pixels.
    :param content: the bytes that offsets count in, when they are not the file's own (deflated).
    """

    path: Path
    dataset: Dataset
    element: PixelElement | None
    content: bytes | None = None

    def open(self) -> BinaryIO:
        """Open what offsets count in."""
        return io.BytesIO(self.content) if self.content is not None else self.path.open("rb")


def parse(path: Path) -> StoredFile:
    """Parse a file without reading its pixels.

    :raises InstanceNotUnderstood: when its pixels are cut off or are not made as they must be.
    :raises Exception: what pydicom raises for a file that it cannot parse.
    """
    with path.open("rb") as stream:
        dataset: Dataset = read_partial(stream, stop_when=_at_pixels)
        if dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            return _inflated(path)
        size = path.stat().st_size
        implicit, little = dataset.original_encoding
        head = stream.read(4)
        if len(head) < 4:
            return StoredFile(path, dataset, None)
        element = _element(stream, head, bool(implicit), "<" if little else ">", size)
        dataset.update(read_dataset(stream, bool(implicit), bool(little)))
    return StoredFile(path, dataset, element)


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in PIXEL_TAGS


def _inflated(path: Path) -> StoredFile:
    if path.stat().st_size > LARGEST_DEFLATED:
        raise InstanceNotUnderstood("it is deflated and larger than 1 GiB")
    dataset = dcmread(path)
    for keyword in PIXEL_TAGS.values():
        if keyword in dataset:
            value, vr = dataset[keyword].value or b"", dataset[keyword].VR
            del dataset[keyword]
            return StoredFile(path, dataset, PixelElement(keyword, vr, (0, len(value))), value)
    return StoredFile(path, dataset, None)


def _element(stream: BinaryIO, head: bytes, implicit: bool, order: str, size: int) -> PixelElement:
    group, number = struct.unpack(order + "HH", head)
    vr, length = "OW", 0
    if implicit:
        (length,) = struct.unpack(order + "L", stream.read(4))
    else:
        vr = stream.read(2).decode("ascii", "replace")
        fmt, skip = ("L", 2) if vr in LONG_VRS else ("H", 0)
        stream.seek(skip, io.SEEK_CUR)
        (length,) = struct.unpack(order + fmt, stream.read(4 if fmt == "L" else 2))
    keyword, start = PIXEL_TAGS[(group << 16) | number], stream.tell()
    if length != UNDEFINED:
        if start + length > size:
            raise InstanceNotUnderstood("its pixels are cut off")
        stream.seek(start + length)
        return PixelElement(keyword, vr, (start, length))
    fragments = _fragments(stream, size)
    first = fragments.pop(0) if fragments else (0, 0)
    behind = stream.tell()
    stream.seek(first[0])
    table = stream.read(first[1])
    stream.seek(behind)
    offsets = struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])
    return PixelElement(keyword, vr, (0, 0), tuple(fragments), offsets)


def _fragments(stream: BinaryIO, size: int) -> list[Span]:
    """Read the items of an encapsulated value, the basic offset table first."""
    found: list[Span] = []
    while True:
        header = stream.read(8)
        if len(header) < 8:
            raise InstanceNotUnderstood("its compressed pixels have no end")
        group, number, length = struct.unpack("<HHL", header)
        if (group << 16) | number == END:
            return found
        start = stream.tell()
        if (group << 16) | number != ITEM or start + length > size:
            raise InstanceNotUnderstood("its compressed pixels are cut off or damaged")
        found.append((start, length))
        stream.seek(start + length)


def frame_spans(stored: StoredFile, frames: int) -> list[list[Span]]:
    """Return the fragments of each encapsulated frame.

    :raises InstanceNotUnderstood: when they don't belong to exactly so many frames.
    """
    assert stored.element
    fragments = list(stored.element.fragments)
    starts = _frame_starts(stored, fragments, frames)
    numbers = [*starts, len(fragments)]
    groups = [fragments[a:b] for a, b in itertools.pairwise(numbers)]
    if len(groups) != frames or not all(groups):
        raise InstanceNotUnderstood(f"it holds {len(groups)} frames where its header says {frames}")
    if len(fragments) > frames and set(_picture_starts(stored, fragments)) - set(starts):
        raise InstanceNotUnderstood("a frame holds more than one picture")
    return groups


def _picture_starts(stored: StoredFile, fragments: list[Span]) -> list[int]:
    """Return the numbers of the fragments that begin as a picture begins."""
    found: list[int] = []
    if stored.dataset.file_meta.TransferSyntaxUID == ENCAPSULATED_UNCOMPRESSED:
        return found  # any value can be at the start of a frame
    with stored.open() as stream:
        for number, (offset, _) in enumerate(fragments):
            stream.seek(offset)
            if stream.read(2) in STARTS:
                found.append(number)
    return found


def _frame_starts(stored: StoredFile, fragments: list[Span], frames: int) -> list[int]:
    """Return the number of each frame's first fragment."""
    assert stored.element
    if len(fragments) == frames:
        return list(range(frames))
    if frames == 1:
        return [0] if fragments else []
    table = stored.dataset.get("ExtendedOffsetTable")
    offsets = struct.unpack(f"<{len(table) // 8}Q", table) if table else stored.element.offsets
    if offsets and fragments:
        first = fragments[0][0] - 8
        places = {offset - 8 - first: number for number, (offset, _) in enumerate(fragments)}
        if all(offset in places for offset in offsets) and offsets[0] == 0:
            return [places[offset] for offset in offsets]
    pictures = _picture_starts(stored, fragments)
    if not offsets and len(pictures) == frames and pictures[0] == 0:
        return pictures
    raise InstanceNotUnderstood("it cannot be told which fragments of its pixels make a frame")


def pixel_module(dataset: Dataset) -> Dataset:
    """Return a copy of the image pixel module, with palettes in little-endian words."""
    result = Dataset()
    result.file_meta = deepcopy(dataset.file_meta)
    for element in dataset.group_dataset(0x0028):
        result.add(deepcopy(element))
    if not dataset.original_encoding[1]:
        turn_palettes(result)
    return result
