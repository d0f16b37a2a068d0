"""Lookup tables of the CTP anonymizer: properties files with lines `KeyType/original value = replacement`.

The original values are patient data: they are shown to nobody, and an error names the line only.
"""

from __future__ import annotations

import re

from airlock.errors import PolicyError

_SPLIT = re.compile(r"(?<!\\)[=:]")
_ESCAPED = re.compile(r"\\(.)")


def read_lookup(text: str) -> dict[str, dict[str, str]]:
    """Read a table.

    :return: replacements by key type and original value; a key without a type stands under the empty one.
    :raises PolicyError: when a line is no entry, or says something else of a value than an earlier one.
    """
    tables: dict[str, dict[str, str]] = {}
    for number, physical in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = physical.strip()
        if not line or line[0] in "#!":
            continue
        key, *rest = _SPLIT.split(line, maxsplit=1)
        if not rest:
            raise PolicyError(f"line {number}: a lookup table has lines such as `ptid/original = replacement`.")
        table, slash, original = _ESCAPED.sub(r"\1", key).strip().partition("/")
        if not slash:
            table, original = "", table
        replacement = _ESCAPED.sub(r"\1", rest[0]).strip()
        known = tables.setdefault(table.strip(), {})
        if known.setdefault(original.strip(), replacement) != replacement:
            raise PolicyError(f"line {number}: another line has a different replacement for the same value.")
    return tables
