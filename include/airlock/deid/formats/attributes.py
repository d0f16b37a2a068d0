"""Attributes as the foreign formats spell them, and as project files do.

Public attributes are named by keyword or by `(gggg,eeee)`, where `x` stands for any digit; private ones by group,
creator and the last two digits of the element (PS3.5 section 7.8.1), because their block may move.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_keyword, dictionary_VR, tag_for_keyword

Where = Literal["tag", "private", "vr"]

_HEX = r"([0-9a-fA-FxX]{4})"
_PLAIN = re.compile(rf"(?:0x)?{_HEX}\s*[,:]?\s*(?:0x)?{_HEX}")
_IN_BLOCK = re.compile(r"""([0-9a-fA-F]{4})\s*,?\s*(?:\[(?P<b>[^\]]+)\]|"(?P<q>[^"]+)")\s*,?\s*([0-9a-fA-F]{2})""")
_CREATOR = re.compile(r"""([0-9a-fA-F]{4})\s*,?\s*00\s*\[([^\]]+)\]""")
_NO_LETTER = re.compile(r"[^a-z0-9]")
_LENGTHS = {"AE": 16, "CS": 16, "SH": 16, "DS": 16, "IS": 12, "LO": 64, "PN": 64, "UI": 64}
"""Longest value in characters, by VR (PS3.5 section 6.2)."""


@dataclass(frozen=True)
class Attribute:
    """What a rule is about.

    :param where: how project files say it.
    :param name: as project files spell it.
    :param tag: None when it stands for more than one.
    :param vr: of PS3.6, the first where it leaves a choice; empty when it is not known.
    """

    where: Where
    name: str
    tag: int | None = None
    vr: str = ""
    keyword: str = ""

    @property
    def private(self) -> bool:
        """Whether its group is odd."""
        return self.where == "private" or (self.tag is not None and bool(self.tag >> 16 & 1))

    @property
    def room(self) -> int:
        """Longest pseudonym, in characters, that its VR has room for."""
        return _LENGTHS.get(self.vr, 64)


def public(tag: int) -> Attribute:
    """Return an attribute by its tag; the name is its keyword where PS3.6 has one."""
    try:
        vr, keyword = str(dictionary_VR(tag)).split(" or ", 1)[0], str(dictionary_keyword(tag))
    except KeyError:
        vr, keyword = "", ""
    if keyword and tag_for_keyword(keyword) != tag:
        keyword = ""
    return Attribute("tag", keyword or f"({tag >> 16:04x},{tag & 0xFFFF:04x})", tag, vr, keyword)


def of_vr(vr: str) -> Attribute:
    """Return what stands for all attributes of a VR."""
    return Attribute("vr", vr, vr=vr)


def group(number: str) -> Attribute:
    """Return what stands for all attributes of a group.

    :param number: its hexadecimal digits; `x` stands for any.
    """
    return Attribute("tag", f"({number.lower().rjust(4, '0')},xxxx)")


def parse(text: str) -> Attribute | None:
    """Read one attribute; None when the text names none.

    Known spellings: a keyword, or the name that PS3.6 gives the attribute, with or without blanks and apostrophes, as
    older keywords are made of it; `gggg,eeee`, `ggggeeee` and `0xgggg,0xeeee`, each also in parentheses or brackets;
    `gggg[CREATOR]ee` and `gggg,"CREATOR",ee`.
    """
    text = text.strip()
    # PS3.6 has entries without a keyword, which an empty text would name.
    if text and (tag := tag_for_keyword(text)) is not None:
        return public(tag)
    if text[:1] + text[-1:] in ("()", "[]"):
        text = text[1:-1].strip()
    if found := _IN_BLOCK.fullmatch(text):
        number, element, creator = int(found[1], 16), found[4].lower(), (found["b"] or found["q"]).strip()
        return Attribute("private", f'({number:04x},"{creator}",{element})') if number & 1 else None
    found = _PLAIN.fullmatch(text)
    if not found:
        tag = _by_name().get(_NO_LETTER.sub("", text.lower()))
        return None if tag is None else public(tag)
    digits = (found[1] + found[2]).lower()
    return Attribute("tag", f"({digits[:4]},{digits[4:]})") if "x" in digits else public(int(digits, 16))


@lru_cache(maxsize=1)
def _by_name() -> dict[str, int]:
    names = Counter(_NO_LETTER.sub("", entry[2].lower()) for entry in DicomDictionary.values())
    found = {_NO_LETTER.sub("", entry[2].lower()): tag for tag, entry in DicomDictionary.items()}
    return {name: tag for name, tag in found.items() if name and names[name] == 1}


def is_creator(text: str) -> bool:
    """Whether a text names the element that reserves a private block, `gggg00[CREATOR]`."""
    return bool(_CREATOR.fullmatch(text.strip().strip("()")))
