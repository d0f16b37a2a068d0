"""How a name is written where a keyboard, a program or an alphabet lacks its letters."""

# ruff: noqa: RUF001 - letters of other alphabets are what this is about

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from itertools import product

from airlock.identity.escapes import undone
from airlock.identity.vocabulary import fold
from airlock.patterns import compiled_later

LOST = "ʭ"
"""Stands in a variant where a letter may have been lost: replaced by a question mark, or by several."""

_KANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_FROM_KATAKANA = {katakana: hiragana for hiragana, katakana in _KANA.items()}
_ALTERNATIVES = {
    "ä": ("a", "ae"), "ö": ("o", "oe"), "ü": ("u", "ue"), "ø": ("o", "oe"), "å": ("a", "aa"), "æ": ("ae", "a", "e"),
    "ß": ("ss", "s"), "ñ": ("n", "ny"), "þ": ("th", "t"), "ð": ("d", "dh"),
}  # fmt: skip
_MOST_ALTERNATIVES = 24
_CONTRACTED = re.compile("ae|oe|ue|aa")
_TO_CONTRACT = {"ae": "a", "oe": "o", "ue": "u", "aa": "a"}


def _table(text: str) -> dict[int, str]:
    return {ord(pair[0]): pair[1:] for pair in text.split()}


_SHARED = _table(
    "аa бb вv гg дd еe зz иi кk лl мm нn оo пp рr сs тt уu фf ѓg ќk љlj њnj јj ђdj ћc џdz іi їi єie ґg ўu"
) | dict.fromkeys((ord("ь"), ord("ъ")), "")
# Passports (ICAO 9303), English, German, and the scientific way.
_CYRILLIC = (
    _SHARED | _table("ёe жzh йi хkh цts чch шsh щshch ыy эe юiu яia"),
    _SHARED | _table("ёyo жzh йy хkh цts чch шsh щshch ыy эe юyu яya їyi єye"),
    _SHARED | _table("вw ёjo жsch зs йj хch цz чtsch шsch щschtsch ыy эe юju яja"),
    _SHARED | _table("ёe жz йj хh цc чc шs щsc ыy эe юju яja"),
)  # fmt: skip
_GREEK_PAIRS = (("ου", "ou"), ("αυ", "av"), ("ευ", "ev"), ("μπ", "b"), ("ντ", "nt"), ("γκ", "gk"), ("γγ", "ng"))
_GREEK_LETTERS = _table("αa βv γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo")
_GREEK = (
    _GREEK_LETTERS,
    _GREEK_LETTERS | _table("βb ηe υu φph χh"),
)
_ENDINGS = compiled_later(r"(?:iy|ii|yi|yy|ij|yj)(?![^\W\d_])")


def variants(group: str) -> set[str]:
    """Return a component group of a name in every way it may be written, none of them twice when folded.

    :param group: as decoded; its `^` stay.
    """
    found: dict[str, str] = {}
    for name in _readings(group):
        for variant in _of_one(unicodedata.normalize("NFKC", name).lower()):
            found.setdefault(fold(variant), variant)
    return set(found.values())


def _readings(group: str) -> Iterator[str]:
    """Yield a name as it is decoded, and as it was meant when the declared character set is not true."""
    yield group
    if (other := undone(group)) is not None:
        yield other.text
    if not group.isascii():
        with suppress(UnicodeEncodeError, UnicodeDecodeError):
            yield group.encode("latin-1").decode("utf-8")


def _of_one(name: str) -> Iterator[str]:
    yield from _respelled(name)
    if not name.isascii():
        for kana in (_KANA, _FROM_KATAKANA):
            yield name.translate(kana)
        if max(name) >= "\u3041":
            from airlock.identity.scripts import in_latin  # noqa: PLC0415 - few patients have such names

            yield from in_latin(name)
    plain = fold(name)
    yield _CONTRACTED.sub(lambda match: _TO_CONTRACT[match.group()], plain)
    yield plain.replace("ij", "y")
    if name.isascii():
        return
    if any("\u0400" <= c < "\u0500" for c in name):
        for table in _CYRILLIC:
            latin = name.translate(table)
            yield latin
            yield _ENDINGS.sub("y", latin)
            yield _ENDINGS.sub("i", latin)
    if any("\u0370" <= c < "\u0400" for c in name):
        yield from _greek("".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c)))
    lost = "".join(LOST if not c.isascii() and fold(c).isascii() else c for c in name)
    if lost != name and 1 <= lost.count(LOST) <= 3 and len(name) >= 5:
        yield lost


def _respelled(name: str) -> Iterator[str]:
    """Yield a name with each of its special letters written in each way; all in the same way, where they are many."""
    yield name
    if name.isascii():
        return
    from math import prod  # noqa: PLC0415 - most names are ASCII

    written = [_ALTERNATIVES.get(c, (c,)) for c in unicodedata.normalize("NFC", name)]
    if prod(map(len, written)) <= _MOST_ALTERNATIVES:
        yield from map("".join, product(*written))
        return
    for index in range(3):
        yield "".join(ways[min(index, len(ways) - 1)] for ways in written)


def in_latin_letters(text: str) -> Iterator[dict[int, str]]:
    """Yield tables, one for each way to write the Cyrillic and Greek letters of a text in Latin ones."""
    if any("\u0400" <= c < "\u0500" for c in text):
        yield from (_with_capitals(table) for table in _CYRILLIC)
    if any("\u0370" <= c < "\u0400" for c in text):
        yield from (_with_capitals(table) for table in _GREEK)


def _with_capitals(table: dict[int, str]) -> dict[int, str]:
    return table | {
        ord(chr(code).upper()): latin.title() for code, latin in table.items() if len(chr(code).upper()) == 1
    }


def _greek(name: str) -> Iterator[str]:
    paired = name
    for pair, latin in _GREEK_PAIRS:
        paired = paired.replace(pair, latin)
    for table in _GREEK:
        yield paired.translate(table)
        yield name.translate(table)
