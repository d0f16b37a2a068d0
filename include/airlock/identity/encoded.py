"""Names as bytes: in every character set that private data may be written in, whatever the file declares."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress

from airlock.patterns import compiled_later

# UTF-8, UTF-16, and what PS3.3 table C.12-2 lists.
_ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6",
    "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r", "tis-620",
    "shift_jis", "euc-jp", "iso2022_jp", "iso2022_jp_2", "euc-kr", "iso2022_kr", "gb18030", "big5",
)  # fmt: skip
_WIDE = compiled_later(rb"(?:[\x20-\x7e]\0){4,}|(?:\0[\x20-\x7e]){4,}")


def encoded_forms(value: str) -> Iterator[bytes]:
    """Yield the parts of a name, alone and together, as every encoding writes those that are not ASCII."""
    parts = [part.strip() for part in re.split(r"[\^=,;\r\n]", value) if part.strip()]
    both = [sign.join(order) for order in (parts[:2], parts[1::-1]) for sign in ("", " ", "^", ", ", "\u3000")]
    for text in {*parts, *both}:
        for written in {text, text.lower(), text.upper(), text.title()}:
            if written.isascii() or len(written) < 2:
                continue
            for encoding in _ENCODINGS:
                with suppress(UnicodeEncodeError):
                    yield written.encode(encoding)


def binary_forms(number: int) -> Iterator[bytes]:
    """Yield a whole number as 4 and 8 bytes, integer and floating point, in either byte order (PS3.5 section 6.2)."""
    for form in ("I", "Q", "f", "d"):
        for order in "<>":
            with suppress(struct.error, OverflowError):
                made = struct.pack(order + form, number)
                # Not what a 32-bit floating point number rounds.
                if struct.unpack(order + form, made)[0] == number:
                    yield made


def wide_text(data: bytes) -> bytes:
    """Return the ASCII text that binary data holds in 16-bit characters, either byte order, a line per stretch."""
    return b"\n".join(match.group().replace(b"\0", b"") for match in _WIDE.finditer(data))
