"""Walk every element of an output and say what is wrong with it, by keyword, never by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from airlock.identity.harvest import texts, vr_of
from airlock.identity.identifiers import Identifiers

_FREE = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "PN"))
_OTHER_TEXT = frozenset(("AE", "AS", "CS", "UI", "UR"))
_NUMERIC = frozenset(("DS", "IS"))
_DATES = frozenset(("DA", "DT"))
Position = tuple[int, ...]
"""Tags and item numbers from the top level to an element."""


def name_of(tag: BaseTag) -> str:
    """Return an attribute's keyword, or its tag when it has none."""
    return keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})"


def walk(dataset: Dataset) -> Iterator[tuple[Position, Dataset, Any]]:
    """Yield `(position, enclosing dataset, element)` of every element at every level, without recursion."""
    stack: list[tuple[Position, Dataset]] = [((), dataset)]
    while stack:
        prefix, current = stack.pop()
        for tag in list(current.keys()):
            element = current.get_item(tag)
            if vr_of(element) == "SQ":
                element = current[tag]
                items = element.value if element.VR == "SQ" else ()
                stack.extend(((*prefix, int(tag), number), item) for number, item in enumerate(items or ()))
            yield (*prefix, int(tag)), current, element


def values_of(current: Dataset, element: Any) -> list[str]:
    """Return the values of a text element."""
    encodings = current._character_set  # noqa: SLF001 - pydicom has no public name for what it decoded with
    return texts(element, vr_of(element), encodings if isinstance(encodings, list) else [encodings])


def must_be_gone(tag: BaseTag) -> bool:
    """Whether an element may be in no output: private, curve, overlay, digital signature (PS3.15 table E.1-1)."""
    group = int(tag.group)
    return tag.is_private or group >> 8 in (0x50, 0x60) or group == 0xFFFA


def find_identifiers(dataset: Dataset, identifiers: Identifiers, *, dates: bool) -> Iterator[tuple[Position, str]]:
    """Yield position and keyword of every element that holds an identifier.

    :param dates: whether a date of the inputs is one wherever it stands.
    """
    for position, current, element in walk(dataset):
        if _holds(identifiers, vr_of(element), current, element, dates=dates):
            yield position, name_of(element.tag)


def _holds(identifiers: Identifiers, vr: str, current: Dataset, element: Any, *, dates: bool) -> bool:
    if vr in _FREE or vr in _OTHER_TEXT:
        return any(identifiers.find(value, free=vr in _FREE) for value in values_of(current, element))
    if vr in _NUMERIC:
        return any(identifiers.is_number(value) for value in values_of(current, element))
    if vr in _DATES:
        return dates and any(value[:8] in identifiers.dates for value in values_of(current, element))
    value = element.value
    return isinstance(value, bytes) and identifiers.in_bytes(value, dates=dates)


def dates_by_position(dataset: Dataset) -> dict[Position, list[str]]:
    """Return the dates of a dataset by where they stand."""
    return {
        position: values_of(current, element)
        for position, current, element in walk(dataset)
        if vr_of(element) in _DATES and element.value
    }
