"""Which UIDs say how data is built, and so never change (PS3.15 section E.3.9)."""

from __future__ import annotations

import re
from functools import lru_cache

from airlock.verify.text import entry

# The root of the standard's own UIDs (PS3.5 section 9).
_STANDARD = "1.2.840.10008."
UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
# Coding schemes, context groups and mapping resources: they name tables, not data.
_TABLES = frozenset((0x0008010C, 0x0008010D, 0x00080117, 0x00080118))
_DEVICE_CLASS = 0x0018100B


def is_registered(uid: str) -> bool:
    """Whether the standard itself assigned a UID."""
    return uid.startswith(_STANDARD) and UID.fullmatch(uid) is not None


@lru_cache(maxsize=4096)
def is_structural(tag: int) -> bool:
    """Whether an attribute holds UIDs of classes, transfer syntaxes or tables."""
    if tag in _TABLES:
        return True
    keyword = entry(tag)[1]
    return tag != _DEVICE_CLASS and ("Class" in keyword or "TransferSyntax" in keyword)
