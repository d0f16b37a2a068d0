"""The beginning of a file in memory, up to its pixel data: what the streaming engine walks over (PS3.10 section 7.1).

Only the encodings that nearly all files have are read here, explicit and implicit VR little endian with a preamble.
Whatever else there is raises :class:`Irregular`, and is left to :mod:`airlock.dicomio.part10`.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache

from airlock.dicomio.encodings import BIG_ENDIAN, DEFLATED, IMPLICIT, is_known
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UNDEFINED = 0xFFFFFFFF
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""VRs with a length of 32 bits (PS3.5 section 7.1.2)."""
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())

FIRST_BYTES = 32 << 10
"""As much as most headers have; reading more costs as long as walking."""
_PREFIX = 128
_LEAST_BYTES, _MARGIN_BYTES = 8 << 10, 2 << 10
_MOST_BYTES = 32 << 20
_MOST_GUESSED_BYTES = 1 << 20
_short_header = struct.Struct("<4x2sH").unpack_from
_long = struct.Struct("<I").unpack_from


class Irregular(Exception):
    """The streaming engine cannot tell what this file means; the other reader can, or says what is wrong."""


class More(Irregular):
    """The element does not end in the bytes that are in memory."""


class Head:
    """The beginning of an open file.

    :param descriptor: of the file; the caller closes it.
    :param first_bytes: how much to read; the files of a series need about the same.
    :raises Irregular: when its encoding is none of those that are read here.
    """

    __slots__ = ("data", "descriptor", "end", "implicit", "size", "start", "syntax")

    def __init__(self, descriptor: int, first_bytes: int = FIRST_BYTES) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self.data = os.pread(descriptor, first_bytes, 0)
        try:
            encoded, self.start = _read_meta(self.data)
        except (struct.error, IndexError):
            raise Irregular from None
        self.syntax, self.implicit = _syntax(encoded)
        # What :func:`airlock.dicomio.pixels.end_of` found.
        self.end: object = None

    @property
    def whole(self) -> bool:
        """Whether all of the file is in memory."""
        return len(self.data) >= self.size

    def grow(self) -> None:
        """Have four times as much in memory.

        :raises Irregular: when there is no more, or it would be too much.
        """
        wanted = min(4 * len(self.data), self.size)
        if self.whole or wanted > _MOST_BYTES:
            raise Irregular
        self.data = read_at(self.descriptor, 0, wanted)


def next_bytes(used: int) -> int:
    """Return how much of the next file to read at first.

    :param used: bytes of the last one's header.
    """
    margin = _MARGIN_BYTES if used <= FIRST_BYTES else FIRST_BYTES
    return max(_LEAST_BYTES, min(used + margin, _MOST_GUESSED_BYTES))


class open_head:  # noqa: N801 - used as a function
    """Read the beginning of a file, at first so much of it; entering gives its :class:`Head`.

    :raises Irregular: when its encoding is none of those that are read here.
    :raises OSError: when it cannot be read.
    """

    __slots__ = ("_arguments", "_descriptor")

    def __init__(self, path: str | Path, first_bytes: int = FIRST_BYTES) -> None:
        self._arguments = path, first_bytes

    def __enter__(self) -> Head:
        path, first_bytes = self._arguments
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return Head(self._descriptor, first_bytes)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)


def read_at(descriptor: int, offset: int, size: int) -> bytes:
    """Read a part of a file.

    :raises Irregular: when the file has become shorter.
    """
    data = os.pread(descriptor, size, offset)
    while len(data) < size:
        more = os.pread(descriptor, size - len(data), offset + len(data))
        if not more:
            raise Irregular
        data += more
    return data


@lru_cache(maxsize=64)
def _syntax(value: bytes) -> tuple[str, bool]:
    """Return a transfer syntax, and whether it has implicit VRs.

    :raises Irregular: when it is none of those that are read here.
    """
    syntax = value.decode("latin-1").strip(" \0")
    if syntax in (DEFLATED, BIG_ENDIAN) or not is_known(syntax):
        raise Irregular
    return syntax, syntax == IMPLICIT


# Of the file that was read last: what stands before and behind the value of its MediaStorageSOPInstanceUID, up to the
# first two bytes of the dataset; the length of that value; the transfer syntax. In a series, only the value differs.
_latest: list[tuple[bytes, bytes, int, bytes]] = []


def _read_meta(data: bytes) -> tuple[bytes, int]:
    """Return the value of TransferSyntaxUID, and where the dataset starts."""
    for before, behind, size, syntax in _latest:
        position = _PREFIX + len(before) + size
        if data.startswith(before, _PREFIX) and data.startswith(behind, position):
            return syntax, position + len(behind) - 2
    return _walk_meta(data)


def _walk_meta(data: bytes) -> tuple[bytes, int]:
    """Return the same of any file, and remember it."""
    if data[_PREFIX:132] != b"DICM":
        raise Irregular
    position, syntax = 132, b""
    instance = 0, 0
    while data[position : position + 2] == b"\x02\x00":
        vr, length = _short_header(data, position)
        start = position + 8
        if vr in LONG_VRS:
            start, length = position + 12, _long(data, position + 8)[0]
        elif vr not in SHORT_VRS:
            raise Irregular
        if start + length > len(data):
            raise Irregular
        if data[position + 2 : position + 4] == b"\x10\x00":
            syntax = data[start : start + length]
        elif data[position + 2 : position + 4] == b"\x03\x00":
            instance = start, length
        position = start + length
    start, length = instance
    behind = data[start + length : position + 2]
    if start and len(behind) == position + 2 - start - length:
        _latest[:] = [(data[_PREFIX:start], behind, length, syntax)]
    return syntax, position


_tag_and_length = struct.Struct("<II").unpack_from
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE
# Sequences and items; deeper ones are left to the other reader.
_DEEPEST = 128


def end_of_sequence(data: bytes, position: int, end: int, *, implicit: bool, item: bool = False) -> int:
    """Return where a sequence of undefined length ends, behind its delimiter (PS3.5 section 7.5).

    :param position: of its first item.
    :param item: it is an item of undefined length instead, and `position` that of its first element.
    :raises More: when it does not end before `end`.
    :raises Irregular: when it holds something that is not to be expected there.
    """
    inside_item = [item]
    while inside_item:
        if position + 8 > end:
            raise More
        tag, length = _tag_and_length(data, position)
        if tag == (_ITEM_END if inside_item[-1] else _SEQUENCE_END):
            if length:
                raise Irregular
            inside_item.pop()
            position += 8
            continue
        if inside_item[-1]:
            position, length = _value(data, position, length, implicit=implicit)
        elif tag == _ITEM:
            position += 8
        else:
            raise Irregular
        if length == UNDEFINED:
            inside_item.append(not inside_item[-1])
        else:
            position += length
        if len(inside_item) > _DEEPEST:
            raise Irregular
    if position > end:
        raise More
    return position


def _value(data: bytes, position: int, length: int, *, implicit: bool) -> tuple[int, int]:
    """Return where the value of an element starts, and its length."""
    if implicit:
        return position + 8, length
    vr = data[position + 4 : position + 6]
    if vr in SHORT_VRS:
        return position + 8, length >> 16
    if vr not in LONG_VRS or position + 12 > len(data):
        raise Irregular
    length = _long(data, position + 8)[0]
    if length == UNDEFINED and vr == b"UN":
        # Implicit VR inside, whatever is around it (PS3.5 section 6.2.2, note 2).
        return end_of_sequence(data, position + 12, len(data), implicit=True), 0
    if length == UNDEFINED and vr != b"SQ":
        raise Irregular
    return position + 12, length
