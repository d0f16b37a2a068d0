"""A DICOM file as a dataset that can be changed: read around its pixel data, in bounded time and memory.

This is for the steps that need every element (deid, verify); :mod:`airlock.dicomio.splice` writes the dataset again
around the same pixels. To learn only where a file belongs, :mod:`airlock.dicomio.header` is stricter and far cheaper.
pydicom parses; what it forgives (values cut short, bytes that belong to nothing, lengths beyond the file) is refused
here, because a byte that was not understood must not be passed on.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from airlock.dicomio.encodings import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, NotInflatable, inflate, is_known
from airlock.dicomio.quiet import quiet
from airlock.errors import InstanceNotUnderstood

PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
UNDEFINED = 0xFFFFFFFF
LARGEST_INFLATED_BYTES = 512 << 20


@dataclass(frozen=True)
class Pixels:
    """The pixel data element of a file (PS3.3 section C.7.6.3), not read.

    :param vr: as encoded; OW in implicit VR.
    :param length: as encoded, `UNDEFINED` when encapsulated.
    :param offset: of the value's first byte in the stream.
    :param size: bytes of the value, with the fragments' own headers and the delimiter when encapsulated.
    """

    tag: int
    vr: bytes
    length: int
    offset: int
    size: int


@dataclass
class Instance:
    """A DICOM file that was read around its pixel data.

    :param stream: from which the pixel data is copied: the file, or the inflated dataset.
    :param dataset: everything but the pixel data.
    :param guessed: whether there was no transfer syntax in the file.
    """

    stream: BinaryIO
    syntax: str
    dataset: Dataset
    pixels: Pixels | None
    guessed: bool = False


class _Clipped(io.BufferedIOBase):
    """A stream that never allocates more than it holds, however large the length that a reader asks for."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self.size = stream, size
        # Bound once instead of wrapped: the parser calls them for every element.
        self.tell = stream.tell  # type: ignore[method-assign]  # on purpose
        self.seek = stream.seek  # type: ignore[method-assign]  # on purpose

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most what is left."""
        left = max(0, self.size - self._stream.tell())
        return self._stream.read(left if size is None or size < 0 else min(size, left))


@contextmanager
def open_instance(path: Path) -> Iterator[Instance]:
    """Read a file around its pixel data.

    :raises InstanceNotUnderstood: when it is not DICOM, damaged, or in an encoding that is not known.
    :raises OSError: when the file cannot be read.
    """
    with path.open("rb") as file, quiet():
        try:
            yield _read_guarded(file)
        except RecursionError:
            raise InstanceNotUnderstood("Its sequences are nested too deeply to be processed.") from None


def _read_guarded(file: BinaryIO) -> Instance:
    try:
        return _read(file, os.fstat(file.fileno()).st_size)
    except (InstanceNotUnderstood, MemoryError, RecursionError):
        raise
    except Exception as error:  # whatever a parser says of hostile bytes, it quotes them
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InstanceNotUnderstood("Its dataset is damaged (PS3.5 section 7).") from None


def _read(file: BinaryIO, size: int) -> Instance:
    stream: Any = _Clipped(file, size)
    if stream.read(132)[128:] == b"DICM":
        syntax = _read_meta(stream)
    else:
        stream.seek(0)
        # Some old programs write the meta information without the preamble.
        starts_with_meta = stream.read(2) == b"\2\0"
        stream.seek(0)
        syntax = _read_meta(stream) if starts_with_meta else ""
    guessed = not syntax
    if guessed:
        syntax = _guess_syntax(stream)
    elif not is_known(syntax):
        raise InstanceNotUnderstood("Its transfer syntax is private or not known.")
    if syntax == DEFLATED:
        file, size = _inflate(stream)
        stream = _Clipped(file, size)
    dataset = _parse(stream, implicit=syntax == IMPLICIT, little=syntax != BIG_ENDIAN)
    pixels = _find_pixels(stream, dataset, syntax)
    if pixels is not None:
        _read_tail(stream, dataset, pixels, syntax)
    if guessed and pixels is not None and pixels.length == UNDEFINED:
        raise InstanceNotUnderstood("Its pixel data is compressed and no transfer syntax says how.")
    return Instance(file, syntax, dataset, pixels, guessed)


def _read_meta(stream: Any) -> str:
    try:
        meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag.group != 2)
        return str(meta.get("TransferSyntaxUID", "")).strip(" \0")
    except Exception:  # noqa: BLE001 - a parser's error on hostile bytes can be of any kind, and quotes them
        raise InstanceNotUnderstood("Its file meta information is damaged (PS3.10 section 7.1).") from None


def _guess_syntax(stream: Any) -> str:
    """Tell the encoding of a dataset without file meta information from its first element (PS3.5 section 7.1)."""
    start = stream.tell()
    head = stream.read(6)
    stream.seek(start)
    if len(head) < 6:
        raise InstanceNotUnderstood("It is not a DICOM file (PS3.10 section 7.1).")
    little, big = struct.unpack("<H", head[:2])[0], struct.unpack(">H", head[:2])[0]
    explicit = head[4:6] in (b"UL", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM", b"PN", b"DT", b"OB", b"SQ")
    if little == 0x0008:
        return EXPLICIT if explicit else IMPLICIT
    if big == 0x0008 and explicit:
        return BIG_ENDIAN
    raise InstanceNotUnderstood("It is not a DICOM file (PS3.10 section 7.1).")


def _inflate(stream: Any) -> tuple[BinaryIO, int]:
    try:
        data = inflate(stream, LARGEST_INFLATED_BYTES)
    except NotInflatable as error:
        raise InstanceNotUnderstood(f"I{str(error)[1:]}.") from None
    return io.BytesIO(data), len(data)


def _parse(stream: Any, *, implicit: bool, little: bool, until: int = PIXEL_TAGS[0]) -> Dataset:
    try:
        return read_dataset(stream, implicit, little, stop_when=lambda tag, _vr, _length: tag >= until)
    except (RecursionError, MemoryError):
        raise
    except Exception:  # noqa: BLE001 - as above
        raise InstanceNotUnderstood("Its dataset is damaged (PS3.5 section 7).") from None


def _find_pixels(stream: Any, dataset: Dataset, syntax: str) -> Pixels | None:
    start, size = stream.tell(), stream.size
    head = stream.read(12)
    # Trailing zeros are how some media pad files to whole sectors.
    if len(head) < 8:
        if head.strip(b"\0"):
            raise InstanceNotUnderstood("It ends in the middle of an element: it was cut short.")
        return None
    order = "<" if syntax != BIG_ENDIAN else ">"
    group, element = struct.unpack(f"{order}HH", head[:4])
    tag = group << 16 | element
    if tag < PIXEL_TAGS[0]:
        raise InstanceNotUnderstood("Its dataset ends before the file does (PS3.5 section 7).")
    if tag not in PIXEL_TAGS:
        return None
    if dataset.original_encoding[0]:
        vr, offset, length = b"OW", start + 8, struct.unpack(f"{order}L", head[4:8])[0]
    else:
        vr, offset, length = head[4:6], start + 12, struct.unpack(f"{order}L", head[8:12])[0]
        if vr not in (b"OB", b"OW", b"OF", b"OD", b"UN"):
            raise InstanceNotUnderstood("Its pixel data has a value representation that is not allowed.")
    value_size = length if length != UNDEFINED else _fragments_size(stream, offset, order)
    if offset + value_size > size:
        raise InstanceNotUnderstood("Its pixel data is cut short.")
    return Pixels(tag, vr, length, offset, value_size)


def _read_tail(stream: Any, dataset: Dataset, pixels: Pixels, syntax: str) -> None:
    """Add the elements that follow the pixel data to the dataset."""
    stream.seek(pixels.offset + pixels.size)
    tail = stream.read()
    # Zeros are how some media pad files to whole sectors.
    if not tail.strip(b"\0"):
        return
    # An element that is in no dataset, to see whether the parser comes to the end and no further.
    following_stream = io.BytesIO(tail + b"\xff\xff\xff\xffUI\0\0")
    implicit = bool(dataset.original_encoding[0])
    following = _parse(following_stream, implicit=implicit, little=syntax != BIG_ENDIAN, until=0xFFFFFFFF)
    if following_stream.tell() != len(tail) or min(following.keys()) <= pixels.tag:
        raise InstanceNotUnderstood("What follows its pixel data is damaged (PS3.5 section 7).")
    # Not by its public interface: that decodes private elements, whose lengths may not be those of their VR.
    dataset._dict.update((element.tag, element) for element in following.elements())  # noqa: SLF001 - as said


def _fragments_size(stream: Any, offset: int, order: str) -> int:
    """Follow the fragments of encapsulated pixel data (PS3.5 section A.4) to their end."""
    stream.seek(offset)
    while len(head := stream.read(8)) == 8:
        group, element, length = struct.unpack(f"{order}HHL", head)
        if (group, element) == (0xFFFE, 0xE0DD):
            return int(stream.tell()) - offset
        if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED:
            break
        if stream.tell() + length > stream.size:
            break
        stream.seek(length, os.SEEK_CUR)
    raise InstanceNotUnderstood("Its compressed pixel data is damaged or cut short (PS3.5 section A.4).")
