"""Values of the attributes that screening compares, decoded from the bytes that the header reader hands on."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.datadict import dictionary_VR

from airlock.dicomio.encodings import BIG_ENDIAN
from airlock.dicomio.header import Header
from airlock.dicomio.quiet import quiet

CHARACTER_SET = 0x00080005
_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_SINGLE = frozenset(("LT", "ST", "UT", "UR"))
_BYTES = frozenset(("OB", "OW", "OD", "OF", "OL", "OV", "SQ"))
_DELIMITERS = {0x5C, 0x5E, 0x3D, 0x0A, 0x0C, 0x0D, 0x09}
Value = str | int | float


class Values:
    """The values of one instance, decoded when they are asked for."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._order = ">" if header.transfer_syntax_uid == BIG_ENDIAN else "<"
        self._encodings: list[str] | None = None

    def __contains__(self, tag: int) -> bool:
        return tag in self._header.extra

    def of(self, tag: int) -> list[Value]:
        """Return the values of an attribute; none when it is absent, empty, or nothing that can be compared."""
        vr, raw = self._header.extra.get(tag, ("", b""))
        if not raw:
            return []
        vr = vr or _dictionary_vr(tag)
        if vr in _BYTES:
            return []
        if vr in _NUMBERS:
            size = struct.calcsize(f"{self._order}{_NUMBERS[vr]}")
            count = len(raw) // size
            return list(struct.unpack(f"{self._order}{count}{_NUMBERS[vr]}", raw[: count * size]))
        return [*self._texts(vr, raw)]

    def texts(self, tag: int) -> list[str]:
        """Return the values of an attribute as texts."""
        return [str(value) for value in self.of(tag)]

    def _texts(self, vr: str, raw: bytes) -> list[str]:
        if raw.isascii() and b"\x1b" not in raw:
            text = raw.decode("ascii")
        elif vr in ("PN", "LO", "SH", "LT", "ST", "UT", "UC"):
            with quiet():
                text = decode_bytes(raw, self._charsets(), set(_DELIMITERS))
        else:
            text = raw.decode("latin-1")
        parts = [text] if vr in _SINGLE else text.split("\\")
        return [part.strip(" \0") for part in parts]

    def _charsets(self) -> Sequence[str]:
        if self._encodings is None:
            _, raw = self._header.extra.get(CHARACTER_SET, ("CS", b""))
            names = [name.strip(" \0") for name in (raw or b"").decode("latin-1").split("\\")]
            try:
                with quiet():
                    self._encodings = list(convert_encodings(names))
            except LookupError:
                self._encodings = [default_encoding]
        return self._encodings


def _dictionary_vr(tag: int) -> str:
    try:
        return str(dictionary_VR(tag)).split(" or ", 1)[0]
    except KeyError:
        return "LO"
