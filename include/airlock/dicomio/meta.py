"""The file meta information that Airlock writes (PS3.10 section 7.1)."""

from __future__ import annotations

import struct

from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME


def meta_bytes(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Return preamble, prefix and file meta information (PS3.10 section 7.1)."""
    elements = b"\2\0\1\0OB\0\0\2\0\0\0\0\1" + b"".join(
        struct.pack("<HH2sH", 2, element, vr, len(value)) + value
        for element, vr, value in (
            (0x0002, b"UI", _padded(sop_class_uid)),
            (0x0003, b"UI", _padded(sop_instance_uid)),
            (0x0010, b"UI", _padded(transfer_syntax_uid)),
            (0x0012, b"UI", _padded(IMPLEMENTATION_CLASS_UID)),
            (0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode().ljust(10)),
        )
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements)) + elements


def _padded(uid: str) -> bytes:
    value = uid.encode("ascii", "replace")
    return value + b"\0" * (len(value) % 2)
