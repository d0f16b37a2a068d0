"""The character sets that nearly all files declare (PS3.3 section C.12.1.1.2), without asking pydicom."""

from __future__ import annotations

_ENCODINGS = {
    b"": "iso8859",
    b"ISO_IR 6": "iso8859",
    b"ISO_IR 100": "latin_1",
    b"ISO_IR 101": "iso8859_2",
    b"ISO_IR 192": "UTF8",
}


def plain_encoding(value: bytes) -> str | None:
    """Return the name by which pydicom calls Python's encoding of one of the usual character sets.

    :param value: of SpecificCharacterSet, as it is encoded.
    :return: None when only pydicom knows.
    """
    return _ENCODINGS.get(value[:-1] if value.endswith(b" ") else value)
