"""Decode the values of elements in the character set that their own level declares (PS3.5 6.1, PS3.3 C.12.1.1.2).

Where bytes cannot be what the character set says, every reading that other character sets give is searched too.
"""

from __future__ import annotations

from functools import lru_cache

from airlock.dicomio import dictionary
from airlock.dicomio.quiet import quiet
from airlock.patterns import compiled_later
from airlock.verify.levels import Level

FREE = frozenset((b"LO", b"SH", b"ST", b"LT", b"UT", b"UC", b"PN"))
CODED = frozenset((b"AE", b"AS", b"CS", b"UR"))
NUMERIC = frozenset((b"DS", b"IS"))
DATES = frozenset((b"DA", b"DT"))
BINARY = frozenset((b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"UN"))
_SINGLE = frozenset((b"ST", b"LT", b"UT", b"UR"))
CHARSET = 0x00080005
"""SpecificCharacterSet."""
# What text was most often written in when the declared character set is not true.
_OTHERS = ("utf-8", "iso8859", "cp1252", "cp1251", "iso8859-2", "gb18030", "shift_jis", "euc_kr", "big5")


@lru_cache(maxsize=16384)
def entry(tag: int) -> tuple[bytes, str]:
    """Return VR (the first of alternatives) and keyword of a public attribute (PS3.6); empty when it has none."""
    if tag >> 16 & 1:
        return b"", ""
    try:
        found = dictionary.entry(tag)
    except KeyError:
        return b"", ""
    return found[0].split(" ", maxsplit=1)[0].encode(), found[4]


def name_of(tag: int) -> str:
    """Return an attribute's keyword, or its tag when it has none."""
    return entry(tag)[1] or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def vr_of(tag: int, encoded: bytes) -> bytes:
    """Return the VR of a value: as encoded, else from the dictionary."""
    return encoded if encoded not in (b"", b"UN") else entry(tag)[0] or b"UN"


def charset_of(level: Level, inherited: bytes) -> bytes:
    """Return the encoded SpecificCharacterSet that counts at a level."""
    value = level.value(CHARSET)
    return inherited if value is None else value


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> tuple[str, ...]:
    """Return Python's names of the character sets; empty when they are not known."""
    from pydicom.charset import convert_encodings  # noqa: PLC0415 - text that is not ASCII is rare, and so is the import

    terms = [part.strip(" \0") for part in charset.decode("latin-1").split("\\")]
    if not any(terms):
        return ("iso8859",)
    try:
        with quiet():
            return tuple(convert_encodings(terms))
    except (LookupError, ValueError):
        return ()


def values(raw: bytes, vr: bytes, charset: bytes) -> list[str]:
    """Return the values of a text element, without padding; empty ones are left out."""
    text = decode(raw, vr, charset)
    parts = [text] if vr in _SINGLE else text.split("\\")
    return [stripped for part in parts if (stripped := part.strip(" \0"))]


@lru_cache(maxsize=4096)
def first_value(raw: bytes, vr: bytes, charset: bytes) -> str:
    """Return the first value of a text element, empty when it has none."""
    return next(iter(values(raw, vr, charset)), "")


def decode(raw: bytes, vr: bytes, charset: bytes) -> str:
    """Decode a value; what isn't valid becomes replacement characters."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    encodings = _encodings(charset)
    if not encodings or (vr not in FREE and vr != b"UR"):
        return raw.decode("latin-1")
    delimiters = {0x5C, 0x5E, 0x3D} if vr == b"PN" else {0x5C, 0x0A, 0x0C, 0x0D}
    from pydicom.charset import decode_bytes  # noqa: PLC0415 - as above

    try:
        with quiet():
            return str(decode_bytes(raw, list(encodings), delimiters))
    except (LookupError, UnicodeError, ValueError):
        return raw.decode("latin-1")


def readings(raw: bytes, vr: bytes, charset: bytes) -> set[str]:
    """Return what a value may say: as declared, and when it is not ASCII, as other character sets would have it."""
    found = {decode(raw, vr, charset)}
    if not raw.isascii():
        for encoding in _OTHERS:
            found.add(raw.decode(encoding, "replace"))
    return found


_WIDE = compiled_later(rb"(?:[\x20-\x7e]\0){4,}|(?:\0[\x20-\x7e]){4,}")


def wide_text(data: bytes) -> bytes:
    """Return the ASCII text that binary data holds in 16-bit characters, either byte order, a line per stretch."""
    return b"\n".join(match.group().replace(b"\0", b"") for match in _WIDE.finditer(data))
