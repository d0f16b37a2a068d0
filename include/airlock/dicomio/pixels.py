"""Where the pixel data of an open file lies, and what follows it (PS3.5 section 7.1 and annex A)."""

from __future__ import annotations

import os
import struct

from airlock.dicomio.head import UNDEFINED, Head, Irregular, read_at
from airlock.tuples import NamedTuple

_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN")
_TAGS = (b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00", b"\xe0\x7f\x10\x00")
_ITEM, _SEQUENCE_END = 0xE000FFFE, 0xE0DDFFFE
_MOST_TAIL_BYTES = 32 << 20
_LONGEST_HEADER = 12
_tag_and_length = struct.Struct("<II").unpack


class PixelData(NamedTuple):
    """The pixel data element of a file, not read.

    :param header: tag, VR and length as they are to be written: an odd length is made even.
    :param odd: whether a byte must follow the value, for its length to be even.
    :param offset: of the value in the file.
    :param size: bytes of the value, with the fragments' own headers and the delimiter when encapsulated.
    """

    header: bytes
    odd: bool
    offset: int
    size: int


class End(NamedTuple):
    """What follows the header of a file.

    :param position: where the header ends.
    :param tail: elements behind the pixel data.
    """

    position: int
    pixels: PixelData | None
    tail: bytes


def end_of(head: Head, position: int) -> End:
    """Return what follows a header; looked for once, however often it is asked for.

    :param position: where the header ends.
    :raises Irregular: when something else than pixel data is there, or it is not whole.
    """
    known = head.end
    if isinstance(known, End) and known.position == position:
        return known
    begun = head.data[position : position + _LONGEST_HEADER]
    pixels = find_pixels(head.descriptor, head.size, position, implicit=head.implicit, begun=begun)
    tail = read_tail(head.descriptor, head.size, pixels) if pixels is not None else b""
    head.end = found = End(position, pixels, tail)
    return found


def find_pixels(descriptor: int, size: int, position: int, *, implicit: bool, begun: bytes = b"") -> PixelData | None:
    """Return the pixel data that begins at a position, None at the end of the file.

    :param size: of the file, in bytes.
    :param begun: bytes at the position that are known.
    :raises Irregular: when something else is there, or it is not whole.
    """
    if position == size:
        return None
    length = 8 if implicit else _LONGEST_HEADER
    head = begun[:length] if len(begun) >= length else os.pread(descriptor, length, position)
    if head[:4] not in _TAGS or len(head) < (8 if implicit else 12):
        raise Irregular
    if not implicit and head[4:6] not in _VRS:
        raise Irregular
    offset = position + len(head)
    length = int.from_bytes(head[-4:], "little")
    value_size = length if length != UNDEFINED else _fragments_size(descriptor, offset, size)
    if offset + value_size > size:
        raise Irregular
    odd = length != UNDEFINED and length % 2 == 1
    middle = b"" if implicit else head[4:6] + b"\0\0"
    return PixelData(head[:4] + middle + struct.pack("<I", length + odd), odd, offset, value_size)


def _fragments_size(descriptor: int, offset: int, size: int) -> int:
    """Follow the fragments of encapsulated pixel data (PS3.5 section A.4) to their end."""
    position = offset
    while len(head := os.pread(descriptor, 8, position)) == 8:
        tag, length = _tag_and_length(head)
        position += 8
        if tag == _SEQUENCE_END:
            return position - offset
        if tag != _ITEM or length == UNDEFINED or position + length > size:
            break
        position += length
    raise Irregular


def read_tail(descriptor: int, size: int, pixels: PixelData) -> bytes:
    """Return what follows the pixel data; nothing where it is only the padding of some media.

    :raises Irregular: when it is too much to be read.
    """
    start = pixels.offset + pixels.size
    if start == size:
        return b""
    if size - start > _MOST_TAIL_BYTES:
        raise Irregular
    tail = read_at(descriptor, start, size - start)
    return tail if tail.strip(b"\0") else b""
