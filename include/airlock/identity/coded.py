"""Text that a program wrote as base64 (RFC 4648) or as hexadecimal digits, in place of itself."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator

from airlock.identity.mapped import Mapped

# Seven letters and digits stand for five characters, of which a name must have four.
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/_-]{7,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:0[xX])?[0-9A-Fa-f]{2}(?:[ :,-]?(?:0[xX])?[0-9A-Fa-f]{2}){4,}(?![0-9A-Fa-f])")
_IS_WORD = re.compile(r"[A-Za-z]?[a-z]+|[A-Z]+|\d+")
_MAYBE = re.compile(r"[A-Za-z0-9+/_-]{7}|[0-9A-Fa-f]{2}(?:[ :,-][0-9A-Fa-f]{2}){4}")


def uncoded(mapped: Mapped) -> Iterator[Mapped]:
    """Yield a text with what is coded in it decoded, in one way and in the other."""
    if _MAYBE.search(mapped.text):
        for pattern, made in ((_HEX, _of_hex), (_BASE64, _of_base64)):
            other = mapped.replaced(pattern, made)
            if other is not mapped:
                yield other


def _of_hex(match: re.Match[str]) -> str | None:
    digits = re.sub(r"0[xX]|[ :,-]", "", match.group())
    return _text(bytes.fromhex(digits)) if not digits.isdigit() or len(digits) >= 10 else None


def _of_base64(match: re.Match[str]) -> str | None:
    letters = re.sub(r"[\r\n=]", "", match.group()).translate({0x2D: "+", 0x5F: "/"})
    # What is written like a word or a number is one.
    if not match.group().endswith("=") and _IS_WORD.fullmatch(letters):
        return None
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return _text(b64decode(letters + "=" * (-len(letters) % 4)))
    except binascii.Error:
        return None


def _text(data: bytes) -> str | None:
    """Return what bytes say when they are text, alone or with the zeros of 16-bit characters."""
    wide = data.count(0) * 3 >= len(data)
    for encoding in ("utf-16-le", "utf-16-be") if wide else ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(c.isprintable() or c.isspace() for c in text) and sum(map(str.isalnum, text)) * 2 > len(text):
            return text
    return None
