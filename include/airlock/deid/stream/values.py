"""How a changed value is encoded, with its tag, VR and length, in little endian (PS3.5 section 7.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

from airlock.deid.values import DUMMY_CODE
from airlock.dicomio.dictionary import tag_of, vr_of
from airlock.dicomio.head import LONG_VRS
from airlock.typed import Any

# Text whose encoding is the same in all character sets as long as it is ASCII (PS3.5 section 6.2).
_SINGLE = frozenset(("ST", "LT", "UT", "UR"))
_TEXT = frozenset(("UI", "DA", "TM", "DT", "AE", "AS", "CS", "LO", "SH", "UC")) | _SINGLE
_MOST_BYTES = 0xFFFE


def encode_element(tag: int, vr: str, value: Any, encodings: Sequence[str], *, implicit: bool) -> bytes:
    """Return an element as pydicom would write it.

    :param value: as pydicom's data elements hold it; None for an empty one.
    :param encodings: Python's names of the character sets in force.
    """
    if value is None and vr != "SQ":
        return element_header(tag, vr.encode(), 0, implicit=implicit)
    if type(value) is list and vr not in _SINGLE and all(type(one) is str for one in value):
        value = "\\".join(value)
    plain = type(value) is str and value.isascii() and len(value) < _MOST_BYTES
    # pydicom cuts the padding of UIDs, wherever it is.
    if plain and vr in _TEXT and (vr != "UI" or " " not in value):
        body = value.encode()
        if len(body) % 2:
            body += b"\0" if vr == "UI" else b" "
        return element_header(tag, vr.encode(), len(body), implicit=implicit) + bytes(body)
    from pydicom.dataelem import DataElement  # noqa: PLC0415 - nearly all values are ASCII and do without
    from pydicom.filebase import DicomBytesIO  # noqa: PLC0415 - as above
    from pydicom.filewriter import write_data_element  # noqa: PLC0415 - as above

    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_data_element(buffer, DataElement(tag, vr, value), list(encodings))
    return bytes(buffer.getvalue())


def encode_uid(element: bytes, uid: str, *, implicit: bool) -> bytes:
    """Return an element with VR UI, as it is encoded, with another UID."""
    body = uid.encode()
    body += b"\0" * (len(body) % 2)
    if implicit:
        return element[:4] + len(body).to_bytes(4, "little") + body
    return element[:6] + len(body).to_bytes(2, "little") + body


def encode_uids(element: bytes, uids: Iterable[str], *, implicit: bool) -> Iterator[bytes]:
    """Yield the same for each of many UIDs."""
    heads: dict[int, bytes] = {}
    for uid in uids:
        body = uid.encode()
        size = len(body)
        if size % 2:
            body += b"\0"
        head = heads.get(size)
        if head is None:
            length = len(body).to_bytes(4 if implicit else 2, "little")
            head = heads[size] = element[: 4 if implicit else 6] + length
        yield head + body


def encode_dummy_code(tag: int, encodings: Sequence[str], *, implicit: bool) -> bytes:
    """Return a sequence with one item, a code that says nothing."""
    tags = {keyword: tag_of(keyword) or 0 for keyword in DUMMY_CODE}
    item = b"".join(
        encode_element(tags[keyword], vr_of(tags[keyword]), text, encodings, implicit=implicit)
        for keyword, text in DUMMY_CODE.items()
    )
    header = element_header(tag, b"SQ", len(item) + 8, implicit=implicit)
    return header + struct.pack("<II", 0xE000FFFE, len(item)) + item


def element_header(tag: int, vr: bytes, length: int, *, implicit: bool) -> bytes:
    """Return tag, VR and length of an element.

    :param length: in bytes, or 0xFFFFFFFF.
    """
    if implicit:
        return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)
    if vr in LONG_VRS:
        return struct.pack("<HH2s2xI", tag >> 16, tag & 0xFFFF, vr, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)
