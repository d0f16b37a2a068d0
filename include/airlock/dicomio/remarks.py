"""What pixel data says beside the image: comments and camera data of compressed frames, bytes behind their end.

JPEG (ISO/IEC 10918-1 section B.2.4) and JPEG-LS have COM and APPn segments, JPEG 2000 COM segments (ISO/IEC 15444-1
section A.9.2) and boxes (annex I), JPEG XL boxes. Nothing here is needed to decode an image. Frames are encapsulated as
in PS3.5 section A.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airlock.patterns import compiled_later
from airlock.tuples import NamedTuple

Read = Callable[[int, int], bytes]
"""Returns bytes of the pixel data's value: from an offset, so many, fewer only where it ends."""

_ITEM, _UNDEFINED = b"\xfe\xff\x00\xe0", 0xFFFFFFFF
_JPEG, _CODESTREAM, _END = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd9"
_CONTAINERS = (b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ")
# COM; APPn but JFIF (0), colour profile (2), SPIFF (8), JPEG XT (11) and Adobe (14), which decoders need.
_COMMENT, _JPEG_2000_COMMENT = 0xFE, 0x64
_CAMERA = frozenset((0xE1, 0xED))
_OTHER = frozenset((0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE9, 0xEA, 0xEC, 0xEF))
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
# End of image, start of scan, start of tile part, start of data: behind them are the pixels.
_LAST = frozenset((0xD9, 0xDA, 0x90, 0x93))
_CAMERA_BOXES = frozenset((b"xml ", b"Exif", b"brob", b"jumb", b"info"))
# What `uuid` boxes begin with: XMP, IPTC, EXIF and GeoTIFF.
_CAMERA_UUIDS = tuple(
    bytes.fromhex(uuid)
    for uuid in (
        "be7acfcb97a942e89c71999491e3afac",
        "33c7a4d2b81d4723a0baf1a3e097ad38",
        "4a706754696666457869662d3e4a5032",
        "b14bf8bd083d4b43a5ae8cd7d5a6ce03",
    )
)
_TEXT_AT_END = compiled_later(rb"[\x20-\x7e\xa0-\xff]{8,}\0*$")
_BLOCK_BYTES, _TAIL_BYTES, _MOST_BYTES = 1 << 10, 1 << 10, 1 << 16


TEXT, CAMERA, BEHIND, LOOSE = "text", "camera", "behind", "loose"
"""Kinds of remarks.

A comment or other text; EXIF, XMP, IPTC and their like, which say when, where and by whom a picture was taken; bytes
behind the end of a frame or an image; text at the end of a frame whose own end is not known.
"""


class Remark(NamedTuple):
    """Bytes that are no part of the image.

    :param offset: in the pixel data's value.
    :param kind: one of the above.
    """

    offset: int
    data: bytes
    kind: str


def remarks_in_frames(read: Read, size: int) -> Iterator[Remark]:
    """Yield what encapsulated pixel data says beside its images.

    :param size: of the pixel data's value, with fragment headers and delimiter.
    """
    position, first = 0, True
    while (head := read(position, 8))[:4] == _ITEM and len(head) == 8:
        length = int.from_bytes(head[4:], "little")
        start, position = position + 8, position + 8 + length
        if length == _UNDEFINED or position > size:
            return
        if not first and length:
            yield from _in_fragment(_blockwise(read, start), start, position)
        first = False


def remark_behind(read: Read, size: int, expected: int) -> Iterator[Remark]:
    """Yield what stands behind an image that is not compressed.

    :param expected: bytes of the image (PS3.3 section C.7.6.3); 0 when it is not known.
    """
    if 0 < expected < size - 1 and (data := read(expected, min(size - expected, _MOST_BYTES))).strip(b"\0"):
        yield Remark(expected, data, BEHIND)


def _blockwise(read: Read, start: int) -> Read:
    """Return the same, with the first bytes of a fragment read at once."""
    block = read(start, _BLOCK_BYTES)

    def reader(offset: int, count: int) -> bytes:
        at = offset - start
        return block[at : at + count] if at + count <= len(block) else read(offset, count)

    return reader


def _in_fragment(read: Read, start: int, end: int) -> Iterator[Remark]:
    head = read(start, 8)
    if head in _CONTAINERS:
        yield from _in_boxes(read, start, end)
        return
    if head.startswith((_JPEG, _CODESTREAM)):
        yield from _in_segments(read, start + 2, end)
    begin = max(start, end - _TAIL_BYTES)
    tail = read(begin, end - begin)
    before, marker, behind = tail.rpartition(_END)
    if marker and behind.strip(b"\0"):
        yield Remark(begin + len(before) + len(_END), behind, BEHIND)
    elif not marker and (text := _TEXT_AT_END.search(tail)):
        # RLE (PS3.5 annex G) has no sign of its end, nor have frames that go on in the next fragment.
        yield Remark(begin + text.start(), text[0], LOOSE)


def _in_segments(read: Read, position: int, end: int) -> Iterator[Remark]:
    while position + 4 <= end:
        head = read(position, 4)
        marker = head[1]
        if head[0] != 0xFF or marker in _LAST:
            return
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        following = position + 2 + int.from_bytes(head[2:], "big")
        kind = _kind(marker)
        if kind is not None and position + 4 < (stop := min(following, end)):
            yield Remark(position + 4, read(position + 4, stop - position - 4), kind)
        position = max(following, position + 2)


def _kind(marker: int) -> str | None:
    if marker in _CAMERA:
        return CAMERA
    return TEXT if marker in (_COMMENT, _JPEG_2000_COMMENT) or marker in _OTHER else None


def _in_boxes(read: Read, position: int, end: int) -> Iterator[Remark]:
    while position + 8 <= end:
        head = read(position, 16)
        size, name, start = int.from_bytes(head[:4], "big"), head[4:8], position + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), position + 16
        stop = end if size == 0 else min(position + size, end)
        if stop <= start:
            return
        if name in _CAMERA_BOXES or name == b"uuid":
            data = read(start, min(stop - start, _MOST_BYTES))
            known = name != b"uuid" or data.startswith(_CAMERA_UUIDS)
            yield Remark(start, data, CAMERA if known else TEXT)
        elif name == b"jp2c":
            yield from _in_segments(read, start + 2, stop)
        position = stop
