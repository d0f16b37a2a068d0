"""Undo what programs do to letters: HTML and URL escapes, wrong character sets, escape sequences that nobody declared.

A name is not less readable because its umlaut is written `&uuml;`, `%C3%BC` or `Ã¼`.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable

from airlock.identity.mapped import Mapped
from airlock.patterns import compiled_later

_DEEPEST = 3
# What cp1252 shows for the bytes of UTF-8 that are no characters of Latin-1.
_SHOWN = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"  # noqa: RUF001 - the characters themselves are meant
_SUSPECT = re.compile(r"[&%\\=<\x1b]|[uU]\+|[^\x00-\x7f]")


def _hex(text: str) -> str | None:
    number = int(text, 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _entity(match: re.Match[str]) -> str | None:
    from html import unescape  # noqa: PLC0415 - few texts have any

    text = unescape(match.group())
    return text if text != match.group() else None


def _bytes(match: re.Match[str]) -> str:
    return _decoded(bytes(int(pair, 16) for pair in re.findall(r"[0-9A-Fa-f]{2}", match.group())))


def _octal(match: re.Match[str]) -> str:
    return _decoded(bytes(int(digits, 8) for digits in match.group().split("\\")[1:]))


def _mojibake(match: re.Match[str]) -> str | None:
    """Read UTF-8 that was decoded as Latin-1 or cp1252."""
    try:
        return b"".join(c.encode("latin-1" if ord(c) < 0x100 else "cp1252") for c in match.group()).decode("utf-8")
    except UnicodeError:
        return None


def _undecoded(match: re.Match[str]) -> str:
    """Read the bytes of a file name that Python could not decode."""
    return _decoded(match.group().encode("utf-8", "surrogateescape"))


_RULES: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str | None]], ...] = (
    ("<", compiled_later(r"<[^<>]{0,120}>"), lambda _: ""),
    ("&", compiled_later(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});?"), _entity),
    ("%", compiled_later(r"(?:%[0-9A-Fa-f]{2})+"), _bytes),
    ("=", compiled_later(r"(?:=[0-9A-Fa-f]{2})+"), _bytes),
    ("\\+", compiled_later(r"(?:\\u\{?|\\U|[uU]\+)([0-9A-Fa-f]{8}|[0-9A-Fa-f]{4,6})\}?"), lambda m: _hex(m[1])),
    ("\\", compiled_later(r"(?:\\x[0-9A-Fa-f]{2})+|(?:\\'[0-9A-Fa-f]{2})+"), _bytes),
    ("\\", compiled_later(r"(?:\\[0-3][0-7]{2})+"), _octal),
    ("", compiled_later(f"[\u0080-\u00ff{_SHOWN}]{{2,}}"), _mojibake),
    ("", compiled_later("[\udc80-\udcff]+"), _undecoded),
    ("", compiled_later("[\u1100-\u11ff]{2,}"), lambda m: unicodedata.normalize("NFC", m.group())),
)
"""Signs of which any match has one, or none for what is not ASCII; what is undone; and what it becomes."""

# PS3.3 table C.12-3 and C.12-4: escape sequences and the encodings that they lead to.
_SEQUENCE = compiled_later(rb"\x1b(?:\$[()]?[ABCD]|[()\-][ABDFGHIJLMT])")
_ENCODINGS = {
    b"\x1b(B": ("ascii", b""), b"\x1b(J": ("ascii", b""), b"\x1b)I": ("shift_jis", b""), b"\x1b(I": ("shift_jis", b""),
    b"\x1b$B": ("iso2022_jp", b"\x1b$B"), b"\x1b$@": ("iso2022_jp", b"\x1b$B"),
    b"\x1b$(D": ("iso2022_jp_2", b"\x1b$(D"), b"\x1b$)C": ("euc_kr", b""), b"\x1b$(C": ("iso2022_kr", b"\x1b$)C\x0e"),
    b"\x1b$)A": ("gb2312", b""), b"\x1b$A": ("iso2022_jp_2", b"\x1b$A"),
    b"\x1b-A": ("iso8859-1", b""), b"\x1b-B": ("iso8859-2", b""), b"\x1b-C": ("iso8859-3", b""),
    b"\x1b-D": ("iso8859-4", b""), b"\x1b-L": ("iso8859-5", b""), b"\x1b-G": ("iso8859-6", b""),
    b"\x1b-F": ("iso8859-7", b""), b"\x1b-H": ("iso8859-8", b""), b"\x1b-M": ("iso8859-9", b""),
    b"\x1b-T": ("tis-620", b""),
}  # fmt: skip


def undone(text: str) -> Mapped | None:
    """Return a text without escapes and wrong character sets; None when there are none in it."""
    first = Mapped.of(text)
    made = undone_in(first)
    return None if made is first else made


def undone_in(first: Mapped) -> Mapped:
    """Return a text that was read out of another without escapes and wrong character sets; itself without any."""
    current = first
    if not _SUSPECT.search(first.text):
        return first
    if "\x1b" in first.text:
        current = _without_sequences(current)
    for _ in range(_DEEPEST):
        before = current
        for signs, pattern, made in _RULES:
            text = current.text
            if any(sign in text for sign in signs) if signs else not text.isascii():
                current = current.replaced(pattern, made)
        if current is before:
            break
    return current


def _without_sequences(mapped: Mapped) -> Mapped:
    """Decode what stands behind escape sequences of ISO 2022, whether or not the character sets are declared."""
    try:
        data = mapped.text.encode("latin-1")
    except UnicodeEncodeError:
        return mapped.replaced(re.compile(r"\x1b[$()\-]{1,2}[A-Z@]"), lambda _: "")
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    matches = list(_SEQUENCE.finditer(data))
    begin, encoding, lead = 0, "latin-1", b""
    for match in (*matches, None):
        stop = match.start() if match else len(data)
        for character, start, end in _characters(data, begin, stop, encoding, lead):
            parts.append(character)
            starts.append(mapped.starts[start])
            ends.append(mapped.ends[end - 1])
        if match:
            begin, (encoding, lead) = match.end(), _ENCODINGS.get(match.group(), ("latin-1", b""))
    return Mapped("".join(parts), starts, ends) if matches else mapped


def _characters(data: bytes, begin: int, stop: int, encoding: str, lead: bytes) -> list[tuple[str, int, int]]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    decoder.decode(lead)
    found: list[tuple[str, int, int]] = []
    pending = begin
    for position in range(begin, stop):
        for character in decoder.decode(data[position : position + 1]):
            found.append((character, pending, position + 1))
            pending = position + 1
    return found
