"""The data dictionary of PS3.6, without importing pydicom: its tables alone load in a twentieth of the time.

Nothing is copied: the tables are those of the installed pydicom, found by their files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import Any

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
    found = _attributes().DicomDictionary.get(tag) or _NEWER.get(tag)
    if found is None and not tag & 0x10000:
        mask = next((mask for bits, wanted, mask in _repeaters() if tag & bits == wanted), None)
        found = None if mask is None else _attributes().RepeatersDictionary[mask]
    if found is None:
        raise KeyError(f"{tag:08X}")
    made: Entry = found
    return made


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


def tag_of(keyword: str) -> int | None:
    """Return the tag of a keyword; None when the dictionary has none."""
    return _tags().get(keyword)


def is_uid(uid: str) -> bool:
    """Whether PS3.6 annex A lists a UID."""
    return uid in _table("_uid_dict").UID_dictionary


def any_uid(uids: Iterable[str]) -> bool:
    """Whether PS3.6 annex A lists one of several UIDs."""
    return not _table("_uid_dict").UID_dictionary.keys().isdisjoint(uids)


def sop_classes() -> dict[str, str]:
    """Return the UIDs of the SOP classes of PS3.6 annex A, by their keywords."""
    table = _table("_uid_dict").UID_dictionary
    return {found[4]: uid for uid, found in table.items() if found[1] == "SOP Class" and found[4]}


@lru_cache(maxsize=1)
def _tags() -> dict[str, int]:
    return {found[4]: tag for tag, found in _attributes().DicomDictionary.items() if found[4]}


@lru_cache(maxsize=1)
def _repeaters() -> list[tuple[int, int, str]]:
    """Return the masks of repeating groups: bits that count, their value, key of the table."""
    masks = _attributes().RepeatersDictionary
    return [(int("".join("0" if c == "x" else "F" for c in m), 16), int(m.replace("x", "0"), 16), m) for m in masks]


def _attributes() -> Any:
    return _table("_dicom_dict")


@lru_cache(maxsize=2)
def _table(name: str) -> Any:
    """Return a module of pydicom that holds nothing but a table."""
    if (known := sys.modules.get(f"pydicom.{name}")) is not None:
        return known
    package = find_spec("pydicom")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("pydicom is not installed")
    spec = spec_from_file_location(f"pydicom_{name}", f"{os.path.dirname(package.origin)}/{name}.py")  # noqa: PTH120
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"pydicom has no {name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
