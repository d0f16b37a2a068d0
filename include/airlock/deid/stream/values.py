"""How a changed value is encoded, with its tag, VR and length, in little endian (PS3.5 section 7.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element

from airlock.dicomio.head import LONG_VRS

_PADDING = {"UI": b"\0", "DA": b" ", "TM": b" ", "DT": b" "}
_MOST_BYTES = 0xFFFE


def encode_element(tag: int, vr: str, value: Any, encodings: Sequence[str], *, implicit: bool) -> bytes:
    """Return an element as pydicom would write it.

    :param value: as pydicom's data elements hold it; None for an empty one.
    :param encodings: Python's names of the character sets in force.
    """
    padding = _PADDING.get(vr)
    if padding is not None and value is not None:
        text = value if isinstance(value, str) else "\\".join(value)
        body = text.encode("ascii", "replace")
        body += padding if len(body) % 2 else b""
        if text.isascii() and len(body) <= _MOST_BYTES:
            return element_header(tag, vr.encode(), len(body), implicit=implicit) + body
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_data_element(buffer, DataElement(tag, vr, value), list(encodings))
    return buffer.getvalue()


def element_header(tag: int, vr: bytes, length: int, *, implicit: bool) -> bytes:
    """Return tag, VR and length of an element.

    :param length: in bytes, or 0xFFFFFFFF.
    """
    if implicit:
        return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)
    if vr in LONG_VRS:
        return struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, vr, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)
