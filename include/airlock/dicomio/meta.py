"""The file meta information that Airlock writes (PS3.10 section 7.1)."""

from __future__ import annotations

import struct
from functools import lru_cache

from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def meta_bytes(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and file meta information (PS3.10 section 7.1)."""
    uid = _padded(sop_instance_uid)
    before, behind = _around(sop_class_uid, len(uid), transfer_syntax_uid)
    return before + uid + behind


@lru_cache(maxsize=64)
def _around(sop_class_uid: str, uid_bytes: int, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    """Return what stands before and behind a SOPInstanceUID of so many bytes."""
    elements = b"\2\0\1\0OB\0\0\2\0\0\0\0\1" + _element(0x0002, b"UI", _padded(sop_class_uid))
    elements += struct.pack("<HH2sH", 2, 0x0003, b"UI", uid_bytes)
    behind = (
        _element(0x0010, b"UI", _padded(transfer_syntax_uid))
        + _element(0x0012, b"UI", _padded(IMPLEMENTATION_CLASS_UID))
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode().ljust(10))
    )
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements) + uid_bytes + len(behind))
    return bytes(128) + b"DICM" + length + elements, behind


def _element(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _padded(uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)
