"""Items of sequences: which item of an input one of an output came from, and what a content item is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airlock.verify.levels import Level
from airlock.verify.table import Allowance, Table
from airlock.verify.text import FREE, vr_of

CONTENT = 0x0040A730
_KIND, _NAMES = 0x0040A040, 0x0040A043
_CODES = (0x00080100, 0x00080119, 0x00080120)
_SCHEME = 0x00080102
# Attributes that hold the value of a content item, by value type (PS3.3 section C.17.3.2.1).
_VALUES = {"TEXT": 0x0040A160, "NUM": 0x0040A300, "CODE": 0x0040A168}


def align(items: list[Level], sources: list[Level]) -> Iterator[tuple[Level, Level | None]]:
    """Yield every item with the one that it came from.

    Content items may have been removed: those that are left are told by their concepts, in their order.
    """
    if len(items) == len(sources):
        yield from zip(items, sources, strict=True)
        return
    waiting = iter(sources if len(items) < len(sources) else ())
    for item in items:
        about = list(concept(item))
        yield item, next((source for source in waiting if about and list(concept(source)) == about), None)


def concept(item: Level) -> Iterator[tuple[str, str, str]]:
    """Yield coding scheme, code and value type of a content item's concept names (PS3.3 table 8.8-1)."""
    names = item.elements.get(_NAMES)
    kind = _text(item, _KIND)
    for name in names.items if names is not None and names.items else ():
        code = next((found for tag in _CODES if (found := _text(name, tag))), "")
        yield _text(name, _SCHEME), code, kind


def allowed_content(table: Table, item: Level) -> tuple[int, Allowance] | None:
    """Return what table E.3.4-1 allows for the value of a content item, with the tag of the value.

    None where it says nothing of such an item, or where several attributes hold the value.
    """
    for scheme, code, kind in concept(item):
        allowed, tag = table.content(scheme, code, kind), _VALUES.get(kind)
        if allowed is not None and tag is not None:
            return tag, allowed
    return None


def _text(level: Level, tag: int) -> str:
    return (level.value(tag) or b"").decode("latin-1").strip(" \0")


def has_text(items: Iterable[Level]) -> bool:
    """Whether any item has free text at its own level."""
    return any(
        element.value and vr_of(tag, element.vr) in FREE for item in items for tag, element in item.elements.items()
    )
