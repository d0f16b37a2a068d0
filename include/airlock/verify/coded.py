"""What a text says where a program wrote it in base64 (RFC 4648) or in hexadecimal digits."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import unhexlify
from collections.abc import Iterator

from airlock.patterns import compiled_later

_LETTERS = compiled_later(r"[\w+/-]{7,}(?:\r?\n[\w+/-]+)*(=*)", re.ASCII)
_PAIRS = compiled_later(r"(?:(?:0[xX])?[0-9A-Fa-f]{2}[ :,-]?){5,}")
_READABLE = compiled_later(r"[\w\s.,:;^=/'()@+-]+")


def said_in(text: str) -> Iterator[str]:
    """Yield every stretch of a text that is coded, decoded."""
    for match in _PAIRS.finditer(text):
        pairs = re.findall(r"[0-9A-Fa-f]{2}", re.sub("0[xX]", "", match[0]))
        yield from _readable(unhexlify("".join(pairs)))
    for match in _LETTERS.finditer(text):
        letters = re.sub(r"\s|=", "", match[0]).replace("+", "-").replace("/", "_")
        mixed = letters.lower() != letters != letters.upper()
        if (mixed or match[1]) and len(letters) % 4 != 1:
            yield from _readable(urlsafe_b64decode(letters + "==="[: -len(letters) % 4]))


def _readable(data: bytes) -> Iterator[str]:
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    for encoding in ("utf-8", "latin-1"):
        text = data.decode(encoding, "replace")
        if _READABLE.fullmatch(text):
            yield text
            return
