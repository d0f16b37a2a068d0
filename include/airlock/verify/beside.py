"""Bytes of pixel data that are no part of an image: zeros may stand there in an output, and nothing telling.

Verification finds them by itself: COM and APPn of JPEG (ISO/IEC 10918-1 annex B), COM and boxes of JPEG 2000 (ISO/IEC
15444-1 annexes A and I), what follows the end of a frame (PS3.5 section A.4), and what follows an image that is not
compressed (PS3.3 section C.7.6.3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from airlock.patterns import compiled_later
from airlock.tuples import NamedTuple
from airlock.verify.reader import File, PixelPlace
from airlock.verify.stored import Source

_ITEM = b"\xfe\xff\x00\xe0"
# Segments that no decoder needs; those of cameras say when, where and by whom a picture was taken.
_COMMENTS = b"\xfe\x64\xe3\xe4\xe5\xe6\xe7\xe9\xea\xec\xef"
_CAMERAS = b"\xe1\xed"
_PIXELS_FOLLOW = b"\xda\xd9\x90\x93"
_ALONE = compiled_later(rb"\xff+(?=\xff)|\xff[\x01\xd0-\xd7]")
_CAMERA_BOXES = (b"xml ", b"Exif", b"brob", b"jumb", b"info")
# First bytes of the identifiers of XMP, IPTC, EXIF and GeoTIFF.
_CAMERA_UUIDS = (b"\xbe\x7a\xcf\xcb", b"\x33\xc7\xa4\xd2", b"JpgT", b"\xb1\x4b\xf8\xbd")
_WRITTEN = compiled_later(rb"[\x20-\x7e\xa0-\xff]{8,}\0*\Z")
_LONGEST, _END = 1 << 16, 1 << 10
_HEAD = 2 << 10
# Samples, rows, columns and bits of each.
_NUMBERS = (0x00280002, 0x00280010, 0x00280011, 0x00280100)
_FRAMES = 0x00280008


class Beside(NamedTuple):
    """Bytes of pixel data that are no part of an image.

    :param offset: in the value of the pixel data.
    :param camera: whether they are a camera's own data.
    """

    offset: int
    size: int
    camera: bool = False


def beside(file: File) -> Iterator[Beside]:
    """Yield what of a file's pixel data is no part of an image."""
    pixels = file.pixels
    if pixels is None or not pixels.tag:
        return
    if pixels.encapsulated:
        yield from _in_frames(file.source, pixels)
        return
    size = _size_of_image(file)
    if 0 < size < pixels.size - 1:
        yield Beside(size, min(pixels.size - size, _LONGEST))


def _size_of_image(file: File) -> int:
    mark = "<H" if file.order.little else ">H"
    bits = 1
    for tag in _NUMBERS:
        value = file.dataset.value(tag)
        bits *= struct.unpack(mark, value)[0] if value is not None and len(value) == 2 else 0
    frames = (file.dataset.value(_FRAMES) or b"1").strip(b" \0")
    return -(-bits * int(frames) // 8) if frames.isdigit() else 0


def _in_frames(source: Source, pixels: PixelPlace) -> Iterator[Beside]:
    position, end = pixels.offset, pixels.offset + pixels.size
    number = 0
    while position + 8 <= end:
        head = source.read(position, 8)
        start, position = position + 8, position + 8 + int.from_bytes(head[4:], "little")
        if head[:4] != _ITEM:
            return
        for found in _in_fragment(source, start, position) if number else ():
            yield found._replace(offset=found.offset - pixels.offset)
        number += 1


def _in_fragment(source: Source, start: int, end: int) -> Iterator[Beside]:
    head = source.read(start, min(_HEAD, end - start))
    if head[4:8] in (b"jP  ", b"JXL "):
        yield from _in_boxes(source, start, end)
        return
    if head[:2] in (b"\xff\xd8", b"\xff\x4f"):
        yield from _in_segments(source, start, end, head)
    first = max(start, end - _END)
    tail = source.read(first, end - first)
    over = tail.rfind(b"\xff\xd9")
    if over >= 0:
        if over + 2 < len(tail):
            yield Beside(first + over + 2, len(tail) - over - 2)
    elif written := _WRITTEN.search(tail):
        yield Beside(first + written.start(), len(tail) - written.start())


def _in_segments(source: Source, start: int, end: int, head: bytes) -> Iterator[Beside]:
    at = 2
    while start + at + 4 <= end:
        four = head[at : at + 4] if at + 4 <= len(head) else source.read(start + at, 4)
        alone = _ALONE.match(four)
        if alone is not None:
            at += alone.end()
            continue
        if four[0] != 0xFF or four[1] in _PIXELS_FOLLOW:
            return
        length = int.from_bytes(four[2:], "big")
        size = min(length - 2, end - start - at - 4)
        if size > 0 and four[1] in _COMMENTS + _CAMERAS:
            yield Beside(start + at + 4, size, four[1] in _CAMERAS)
        at += 2 + max(length, 0)


def _in_boxes(source: Source, position: int, end: int) -> Iterator[Beside]:
    while position + 8 <= end:
        length, name, longer = struct.unpack(">L4sQ", source.read(position, 16).ljust(16, b"\0"))
        start = position + (16 if length == 1 else 8)
        stop = min(end, position + (longer if length == 1 else length)) if length else end
        if stop <= start:
            return
        if name in _CAMERA_BOXES or name == b"uuid":
            camera = name != b"uuid" or source.read(start, 4) in _CAMERA_UUIDS
            yield Beside(start, min(stop - start, _LONGEST), camera)
        elif name == b"jp2c":
            yield from _in_segments(source, start, stop, source.read(start, min(_HEAD, stop - start)))
        position = stop
