"""Which attributes an object must have: types 1, 1C, 2 and 2C of PS3.3, by SOP class.

They decide the composite actions of table E.1-1 (`X/Z/D` and the like), so that an object stays valid.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from typing import Any

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
_MODULES = b'"modules": {'
Types = dict[str, dict[str, str]]
"""Type by innermost enclosing sequence (empty: top level) and keyword."""


@lru_cache(maxsize=1)
def _document() -> tuple[dict[str, Any], dict[bytes, bytes]]:
    """Return the document without its modules, and these as text: there are hundreds, and an object has a dozen."""
    with open(f"{os.path.dirname(__file__)}/profiles/iod_types.json", "rb") as file:  # noqa: PTH120, PTH123 - on every start
        content = file.read()
    before, _, behind = content.partition(_MODULES)
    rest: dict[str, Any] = json.loads(before.rstrip().removesuffix(b",") + b"}")
    # Each is a line of its own.
    return rest, dict([line.split(b'": ', 1) for line in behind.split(b'\n"')[1:]])


@lru_cache(maxsize=256)
def _module(name: str) -> dict[str, dict[str, str]]:
    """Return types by enclosing sequence, and of those keywords, separated by blanks, by type."""
    _, modules = _document()
    module: dict[str, dict[str, str]] = json.loads(modules[name.encode()].partition(b"\n")[0].removesuffix(b","))
    return module


@lru_cache(maxsize=64)
def types_of(sop_class_uid: str) -> Types:
    """Return the types of a SOP class, the strictest where its modules differ.

    A class that the table does not know (retired or newer) gets the modules that all images share.
    """
    document, _ = _document()
    iod = document["sop_classes"].get(sop_class_uid)
    names = document["iods"].get(iod, _COMMON_MODULES)
    types: Types = {}
    for name in names:
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
