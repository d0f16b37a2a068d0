"""DICOM JSON (PS3.18 annex F), as far as answers to a search need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def values_of(answer: dict[str, Any], tag: str) -> Sequence[Any]:
    """Return the values of an element; none when it is not there, or has another form."""
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []


def text_of(answer: dict[str, Any], tag: str) -> str:
    """Return the first value as text without padding; empty when there is none."""
    values = values_of(answer, tag)
    return str(values[0]).strip(" \0") if values and values[0] is not None else ""


def number_of(answer: dict[str, Any], tag: str) -> int | None:
    """Return the first value as a number; None when it is none."""
    try:
        return int(text_of(answer, tag))
    except ValueError:
        return None
