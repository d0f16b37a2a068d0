"""Text as a person would read it: without escapes, and in the character set that it was really written in."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress

from airlock.identity.transliterate import in_latin_letters
from airlock.patterns import compiled_later
from airlock.verify.coded import said_in

_SUSPICIOUS = compiled_later(r"[&%\\=<]|[uU]\+|[^\x00-\x7e]")
_NUMBERED = compiled_later(r"(?:\\[uU]\{?|[uU]\+)([0-9A-Fa-f]{4,8})\}?")
_BYTE = compiled_later(r"(?:\\x|\\'|=|%)([0-9A-Fa-f]{2})")
_OCTAL = compiled_later(r"\\([0-3][0-7]{2})")
_TAG = compiled_later(r"<[^<>]{0,120}>")
_BYTES = compiled_later("[\x80-\xff\udc80-\udcff]+")
_ROUNDS = 3


def plain_texts(text: str) -> set[str]:
    """Return a text as it stands, and what it says when escapes and wrong decoding are undone."""
    found = {text, *said_in(text)}
    if not text.isascii():
        # Letters in circles, in bold and the like.
        found.add(unicodedata.normalize("NFKC", text))
    if not _SUSPICIOUS.search(text):
        return found
    current = text
    for _ in range(_ROUNDS):
        found |= {current.translate(table) for table in in_latin_letters(current)}
        current = _character_set(_bytes(_NUMBERED.sub(_numbered, _unescaped(_TAG.sub("", current)))))
        if current in found:
            break
        found.add(current)
    return found


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    from html import unescape  # noqa: PLC0415 - few texts have any

    return unescape(text)


def _numbered(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else match[0]


def _bytes(text: str) -> str:
    r"""Put in the place of `%C3%BC`, `=C3=BC`, `\\xc3\\xbc` and `\\'fc` the characters of these bytes, one each."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), _BYTE.sub(lambda match: chr(int(match[1], 16)), text))


def _character_set(text: str) -> str:
    """Read stretches of bytes as UTF-8 where they are that."""

    def read(match: re.Match[str]) -> str:
        data = bytes(ord(c) & 0xFF for c in match[0])
        with suppress(UnicodeDecodeError):
            return data.decode("utf-8")
        return data.decode("latin-1")

    # The signs that cp1252 has for some bytes go back to these first.
    shown = "".join(_of_cp1252(c) for c in text)
    return unicodedata.normalize("NFC", _BYTES.sub(read, shown))


def _of_cp1252(character: str) -> str:
    if "\u0152" <= character <= "\u2122":
        with suppress(UnicodeEncodeError):
            return character.encode("cp1252").decode("latin-1")
    return character
