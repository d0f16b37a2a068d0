"""Which attributes an object must have: types 1, 1C, 2 and 2C (PS3.5 section 7.4), by SOP class and sequence."""

from __future__ import annotations

from functools import lru_cache

from airlock.dicomio.dictionary import own_keyword_of
from airlock.verify.shipped import types_entry
from airlock.verify.text import entry


class Types:
    """Types 1, 1C, 2 and 2C of attributes: told of those that an object has, which are few of those that it may have.

    :param by_keyword: the types.
    """

    __slots__ = ("_by_keyword", "_known")

    def __init__(self, by_keyword: dict[str, str]) -> None:
        self._by_keyword = by_keyword
        self._known: dict[int, str | None] = {}

    def __bool__(self) -> bool:
        return bool(self._by_keyword)

    def of(self, tag: int) -> str | None:
        """Return the type of an attribute; None when it may be absent, as those of repeating groups may."""
        try:
            return self._known[tag]
        except KeyError:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[tag] = self._by_keyword.get(own_keyword_of(tag))
            return found


@lru_cache(maxsize=4096)
def types_of(sop_class_uid: str, parent: int) -> Types:
    """Return types of attributes of a SOP class.

    :param parent: the innermost enclosing sequence; 0 at the top level.

    Of a class that the table does not know, no type is known. Where modules differ the strictest counts.
    """
    found: dict[str, str] = {}
    keyword_of_parent = entry(parent)[1] if parent else ""
    iod = types_entry("sop_classes", sop_class_uid)
    for module in (types_entry("iods", iod) if iod else None) or _COMMON:
        by_type = (types_entry("modules", module) or {}).get(keyword_of_parent, {})
        for kind in ("2C", "2", "1C", "1"):
            for keyword in by_type.get(kind, "").split():
                found[keyword] = min(found.get(keyword, kind), kind)
    return Types(found)


# The modules that every image has (PS3.3 annex A), for classes that the table does not know.
_COMMON = ("patient", "general-study", "general-series", "sop-common")
_MOST_KNOWN = 4096
