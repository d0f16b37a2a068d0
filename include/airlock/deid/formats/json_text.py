"""Reads JSON so that nothing is lost on the way: keys that are written twice are refused."""

from __future__ import annotations

import json
from typing import Any

from airlock.errors import PolicyError


def read_json(text: str) -> Any:
    """Read a document.

    :raises PolicyError: when it is not JSON, or an object has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise PolicyError(f"line {error.lineno}: not JSON: {error.msg}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise PolicyError(f"the key {key!r} is written twice; which one counts can't be told. Remove one.")
        found[key] = value
    return found
