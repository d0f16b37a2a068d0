"""Which attributes an object must have: types 1, 1C, 2 and 2C of PS3.3, by SOP class.

They decide the composite actions of table E.1-1 (`X/Z/D` and the like), so that an object stays valid.
"""

from __future__ import annotations

import os
from functools import lru_cache

_COMMON_MODULES = (
    "patient",
    "patient-study",
    "general-study",
    "general-series",
    "general-equipment",
    "general-image",
    "general-reference",
    "frame-of-reference",
    "sop-common",
)
_STRICTNESS = {"1": 0, "1C": 1, "2": 2, "2C": 3}
_PARTS = (b'"sop_classes": {', b'"iods": {', b'"modules": {')
_SOP_CLASSES, _IODS, _MODULES = range(3)
Types = dict[str, dict[str, str]]
"""Type by innermost enclosing sequence (empty: top level) and keyword."""


@lru_cache(maxsize=1)
def _document() -> tuple[bytes, list[int]]:
    """Return the document, and where each of its parts begins.

    Each class, object definition and module is a line of its own, and they are sorted: there are hundreds, and an
    object has a dozen.
    """
    with open(f"{os.path.dirname(__file__)}/profiles/iod_types.json", "rb") as file:  # noqa: PTH120, PTH123 - on every start
        document = file.read()
    return document, [document.index(b"\n%s\n" % part) + len(part) + 2 for part in _PARTS] + [len(document)]


def _line(wanted: bytes, begin: int, end: int) -> bytes:
    """Return the first line of a part of the document that does not come before what is wanted."""
    document, _ = _document()
    while begin < end:
        middle = (begin + end) // 2
        start = document.rfind(b"\n", begin, middle) + 1 or begin
        stop = document.find(b"\n", start, end)
        stop = end if stop < 0 else stop
        if document[start:stop] < wanted:
            begin = stop + 1
        else:
            end = start
    return document[begin : document.find(b"\n", begin)]


def _said(part: int, name: str) -> list[str]:
    """Return the texts of the line that a part of the document has of a name; none when it has no such line.

    :return: in the order of the file, each behind what stands before it: the marks of JSON that nest it.
    """
    parts = _document()[1]
    wanted = b'"%s": ' % name.encode()
    line = _line(wanted, parts[part], parts[part + 1])
    if not line.startswith(wanted):
        return []
    # Nothing in it is longer than a keyword, and none has a mark in it: what reads all of JSON takes longer to import.
    return line[len(wanted) :].decode().split('"')[:-1]


@lru_cache(maxsize=512)
def _module(name: str) -> dict[str, dict[str, str]]:
    """Return types by enclosing sequence, and of those keywords, separated by blanks, by type."""
    module: dict[str, dict[str, str]] = {}
    parent = kind = ""
    said = iter(_said(_MODULES, name))
    for mark, text in zip(said, said, strict=True):
        if mark == ":":
            module[parent][kind] = text
        elif mark in (":{", ","):
            kind = text
        else:
            parent = text
            module[parent] = {}
    return module


@lru_cache(maxsize=64)
def types_of(sop_class_uid: str) -> Types:
    """Return the types of a SOP class, the strictest where its modules differ.

    A class that the table does not know (retired or newer) gets the modules that all images share.
    """
    iods = _said(_SOP_CLASSES, sop_class_uid)[1::2]
    names = _said(_IODS, iods[0])[1::2] if iods else []
    types: Types = {}
    for name in names or _COMMON_MODULES:
        for parent, by_type in _module(name).items():
            known = types.setdefault(parent, {})
            for kind, keywords in by_type.items():
                strictness = _STRICTNESS[kind]
                for keyword in keywords.split():
                    if keyword not in known or strictness < _STRICTNESS[known[keyword]]:
                        known[keyword] = kind
    return types


def resolve(action: str, kind: str) -> str:
    """Return the one letter that a composite or plain action comes to for an attribute of this type.

    The first of the table's alternatives that leaves the object valid: `X` where the attribute may be absent, `Z`
    where it may be empty, `D` where it must have a value. Where none does, the object's validity wins.

    :param kind: `1`, `1C`, `2`, `2C`, or `3` when the attribute is optional or not of this object.
    """
    if action in ("K", "C", "S", "U"):
        return action
    if action == "D":
        return "D"
    if action == "X/Z/U*":
        # References with mapped UIDs give nothing away, and other parts of the object may depend on them.
        return "U"
    if kind in ("1", "1C"):
        return "D"
    if kind in ("2", "2C"):
        return "D" if action == "X/D" else "Z"
    return "X" if action.startswith("X") else "Z"
