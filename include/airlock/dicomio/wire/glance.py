"""The little that has to be known of a file to pass it on: read from its first bytes, in one go.

:mod:`airlock.dicomio.header` reads the same with every care, element by element. This is the short cut for what most
files are; where it is not certain, it says so and the other one decides.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from airlock.dicomio.encodings import BIG_ENDIAN, DEFLATED, IMPLICIT, UNDEFINED, is_known

HEAD_BYTES = 1 << 16
_SHORT = struct.Struct("<HH2sH")
_IMPLICIT = struct.Struct("<HHL")
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_NO_VRS: frozenset[bytes] = frozenset()
_UID = re.compile(rb"[0-9]+(\.[0-9]+)*")
SOP_CLASS, SOP_INSTANCE, STUDY, SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_WANTED = frozenset((SOP_CLASS, SOP_INSTANCE, STUDY, SERIES))
_PIXELS, _NEVER = 0x7FE00000, 1 << 32
_ITEM, _SEQUENCE_END, _ITEM_END = 0xFFFEE000, 0xFFFEE0DD, b"\xfe\xff\x0d\xe0"
_DEEPEST = 16
_META_CLASS, _META_INSTANCE, _META_SYNTAX = 0x00020002, 0x00020003, 0x00020010
Step = Callable[[bytes, int], tuple[int, int, int]]
"""From bytes and a position to tag, start of the value and length."""


@dataclass(frozen=True, repr=False)
class Meta:
    """File meta information (PS3.10 section 7.1). Its repr shows no UID.

    :param offset: where the dataset starts.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int


def read_meta(head: bytes) -> Meta | None:
    """Read the file meta information from the first bytes of a file; None when that is not certain."""
    if head[128:132] != b"DICM":
        return None
    found: dict[int, bytes] = {}
    position, end = 132, len(head)
    while position + 12 <= end:
        group, element, vr, length = _SHORT.unpack_from(head, position)
        if group != 2:
            return _meta(found, position)
        start = position + 8
        if vr in _LONG_VRS:
            length, start = int.from_bytes(head[start : start + 4], "little"), position + 12
        elif vr not in _SHORT_VRS:
            return None
        position = start + length
        found[group << 16 | element] = head[start:position]
    return None


def scan(head: bytes, position: int, size: int, transfer_syntax_uid: str) -> dict[int, str] | None:
    """Follow a dataset from element to element to the end of the file; return the UIDs that say where it belongs.

    :param head: the first bytes of the file.
    :param position: where the dataset starts.
    :param size: bytes of the file.
    :returns: None when it is not whole, or not certain.
    """
    followed = _follow(head, position, transfer_syntax_uid, _NEVER)
    return followed[0] if followed and followed[1] == size else None


def look(head: bytes, transfer_syntax_uid: str) -> dict[int, str] | None:
    """Return the UIDs that say where a dataset belongs, of which these are the first bytes; None when not certain."""
    followed = _follow(head, 0, transfer_syntax_uid, SERIES)
    return followed[0] if followed and followed[2] >= SERIES else None


def _follow(head: bytes, position: int, syntax: str, stop: int) -> tuple[dict[int, str], int, int] | None:
    """Return the UIDs, the position after the last element that was looked at, and its tag."""
    if syntax in (DEFLATED, BIG_ENDIAN) or not is_known(syntax):
        return None
    step, plain = (_step_implicit, _NO_VRS) if syntax == IMPLICIT else (_step_explicit, _SHORT_VRS)
    found: dict[int, str] = {}
    end, last, unpack = len(head), -1, _SHORT.unpack_from
    while position + 12 <= end and last < stop:
        # What `step` does with most elements, without calling it: this loop is half of what sending a small file costs.
        group, element, vr, length = unpack(head, position)
        if vr in plain:
            tag, start = group << 16 | element, position + 8
        else:
            tag, start, length = step(head, position)
        if tag <= last:
            return None
        last, position = tag, start + length
        if length == UNDEFINED:
            position = _past(head, start, step, 1) if tag < _PIXELS else 0
            if not position:
                return None
        elif tag in _WANTED:
            value = head[start:position].rstrip(b" \0")
            if position > end or len(value) > 64 or not _UID.fullmatch(value):
                return None
            found[tag] = value.decode("ascii")
    return found, position, last


def _past(head: bytes, position: int, step: Step, depth: int) -> int:
    """Return the position after a sequence of undefined length; 0 when that is not certain."""
    end = len(head)
    while position + 12 <= end and depth < _DEEPEST:
        tag, _, length = _step_implicit(head, position)
        position += 8
        if tag == _SEQUENCE_END:
            return position if not length else 0
        if tag != _ITEM:
            return 0
        position = position + length if length != UNDEFINED else _past_item(head, position, step, depth)
        if not position:
            return 0
    return 0


def _past_item(head: bytes, position: int, step: Step, depth: int) -> int:
    end = len(head)
    while position + 12 <= end:
        if head[position : position + 4] == _ITEM_END:
            return position + 8
        tag, start, length = step(head, position)
        if tag < 0:
            return 0
        position = start + length if length != UNDEFINED else _past(head, start, step, depth + 1)
        if not position:
            return 0
    return 0


def _step_explicit(head: bytes, position: int) -> tuple[int, int, int]:
    group, element, vr, length = _SHORT.unpack_from(head, position)
    if vr in _SHORT_VRS:
        return group << 16 | element, position + 8, length
    length = int.from_bytes(head[position + 8 : position + 12], "little")
    if vr not in _LONG_VRS or (vr != b"SQ" and length == UNDEFINED):
        # No VR, or encapsulated pixels, or a sequence in another encoding: a tag below all others stops the walk.
        return -1, position, 0
    return group << 16 | element, position + 12, length


def _step_implicit(head: bytes, position: int) -> tuple[int, int, int]:
    group, element, length = _IMPLICIT.unpack_from(head, position)
    return group << 16 | element, position + 8, length


def _meta(found: dict[int, bytes], offset: int) -> Meta | None:
    values = []
    for tag in (_META_CLASS, _META_INSTANCE, _META_SYNTAX):
        value = found.get(tag, b"").rstrip(b" \0")
        if len(value) > 64 or not _UID.fullmatch(value):
            return None
        values.append(value.decode("ascii"))
    return Meta(values[0], values[1], values[2], offset)
