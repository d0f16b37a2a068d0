"""Which attributes an object must have: types 1, 1C, 2 and 2C (PS3.5 section 7.4), by SOP class and sequence."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from airlock.dicomio.dictionary import tag_of
from airlock.verify.table import read_table
from airlock.verify.text import entry


@lru_cache(maxsize=1)
def _lines() -> dict[bytes, dict[bytes, bytes]]:
    """Return the lines of the table of types by their sections and their keys, as they are written."""
    sections: dict[bytes, dict[bytes, bytes]] = {}
    lines: dict[bytes, bytes] = {}
    for line in read_table("iod_types").split(b"\n"):
        key, _, rest = line.partition(b": ")
        if rest == b"{":
            lines = sections.setdefault(key, {})
        else:
            lines[key] = rest
    return sections


@lru_cache(maxsize=1024)
def _of_iods(section: str, name: str) -> Any:
    """Return one entry of the table of types, None when there is none.

    The table has a line for each; of its thousand, a study needs a few dozen, and reading all takes longer than that.
    """
    found = _lines()[b'"%s"' % section.encode()].get(json.dumps(name).encode())
    return None if found is None else json.loads(found.rstrip(b","))


@lru_cache(maxsize=4096)
def types_of(sop_class_uid: str, parent: int) -> dict[int, str]:
    """Return types 1, 1C, 2 and 2C of attributes of a SOP class, by tag.

    :param parent: the innermost enclosing sequence; 0 at the top level.

    Of a class that the table does not know, no type is known. Where modules differ the strictest counts.
    """
    found: dict[int, str] = {}
    keyword_of_parent = entry(parent)[1] if parent else ""
    iod = _of_iods("sop_classes", sop_class_uid)
    for module in (_of_iods("iods", iod) if iod else None) or _COMMON:
        by_type = (_of_iods("modules", module) or {}).get(keyword_of_parent, {})
        for kind in ("2C", "2", "1C", "1"):
            for keyword in by_type.get(kind, "").split():
                tag = _tag(keyword)
                found[tag] = min(found.get(tag, kind), kind)
    return found


# The modules that every image has (PS3.3 annex A), for classes that the table does not know.
_COMMON = ("patient", "general-study", "general-series", "sop-common")


@lru_cache(maxsize=4096)
def _tag(keyword: str) -> int:
    return tag_of(keyword) or 0 if keyword else 0
