"""The data dictionary of PS3.6, without importing pydicom: its tables alone load in a tenth of the time.

The files below `tables/` are made of pydicom's own (:mod:`airlock.dicomio.build_tables`): sorted lines of text, of
which only those that are asked for are read.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable
from functools import lru_cache

Entry = tuple[str, str, str, str, str]
"""VR (alternatives joined by ` or `), VM, name, `Retired` or empty, keyword."""

# What PS3.6 2026d has beyond these tables, where somebody is named.
_NEWER: dict[int, Entry] = {
    0x00100011: ("SQ", "1", "Person Names to Use Sequence", "", "PersonNamesToUseSequence"),
    0x00100012: ("LT", "1", "Name to Use", "", "NameToUse"),
}


@lru_cache(maxsize=16384)
def entry(tag: int) -> Entry:
    """Return what the dictionary says of a public attribute, also of one of a repeating group.

    :raises KeyError: when it has none.
    """
    found = _listed(_attributes(), b"%08X" % tag) or _NEWER.get(tag)
    if found is None and not tag & 0x10000:
        mask = next((mask for bits, wanted, mask in _repeaters() if tag & bits == wanted), None)
        found = None if mask is None else _listed(_table("repeating"), mask)
    if found is None:
        raise KeyError(f"{tag:08X}")
    return found


def _listed(lines: list[bytes], tag: bytes) -> Entry | None:
    at = bisect_left(lines, tag)
    if at == len(lines) or not lines[at].startswith(tag):
        return None
    _, vr, multiplicity, retired, keyword, name = lines[at].decode().split(",", 5)
    return vr, multiplicity, name, retired, keyword


def vr_of(tag: int) -> str:
    """Return the VR of an attribute, alternatives joined by ` or `.

    :raises KeyError: when the dictionary has none.
    """
    return entry(tag)[0]


def vm_of(tag: int) -> str:
    """Return the multiplicity of an attribute, such as `1-n`.

    :raises KeyError: when the dictionary has none.
    """
    return entry(tag)[1]


def keyword_of(tag: int) -> str:
    """Return the keyword of an attribute; empty when the dictionary has none."""
    try:
        return entry(tag)[4]
    except KeyError:
        return ""


@lru_cache(maxsize=16384)
def tag_of(keyword: str) -> int | None:
    """Return the tag of a keyword; None when the dictionary has none."""
    content, wanted = _content("attributes"), f",{keyword},".encode()
    at = content.find(wanted)
    while keyword and at >= 0:
        tag = int(content[(start := content.rfind(b"\n", 0, at) + 1) : start + 8], 16)
        # Another column may have the same word.
        if keyword_of(tag) == keyword:
            return tag
        at = content.find(wanted, at + 1)
    return None


def is_uid(uid: str) -> bool:
    """Whether PS3.6 annex A lists a UID."""
    return uid in _uids()


def any_uid(uids: Iterable[str]) -> bool:
    """Whether PS3.6 annex A lists one of several UIDs."""
    return not _uids().isdisjoint(uids)


def sop_classes() -> dict[str, str]:
    """Return the UIDs of the SOP classes of PS3.6 annex A, by their keywords."""
    rows = [line.decode().split(",") for line in _table("uids")]
    return {keyword: uid for uid, kind, keyword in rows if kind == "SOP Class" and keyword}


@lru_cache(maxsize=1)
def _uids() -> frozenset[str]:
    return frozenset([line.partition(b",")[0].decode() for line in _table("uids")])


@lru_cache(maxsize=1)
def _repeaters() -> list[tuple[int, int, bytes]]:
    """Return the masks of repeating groups: bits that count, their value, key of the table."""
    masks = [line[:8].decode() for line in _table("repeating")]
    return [
        (int("".join("0" if c == "x" else "F" for c in m), 16), int(m.replace("x", "0"), 16), m.encode()) for m in masks
    ]


def _attributes() -> list[bytes]:
    return _table("attributes")


@lru_cache(maxsize=3)
def _table(name: str) -> list[bytes]:
    """Return the lines of a table."""
    return _content(name).split(b"\n")


@lru_cache(maxsize=3)
def _content(name: str) -> bytes:
    with open(f"{os.path.dirname(__file__)}/tables/{name}.csv", "rb") as file:  # noqa: PTH120, PTH123 - on every start
        return file.read()
