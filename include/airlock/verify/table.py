"""What table E.1-1 of PS3.15 lets stand in an output, with the options in force, derived from the shipped profile.

De-identification decides one action per attribute; this says which outcomes are allowed, and is written apart from it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

from airlock.tuples import NamedTuple
from airlock.verify.text import entry
from airlock.verify.uids import is_structural

_PROFILES = os.path.join(os.path.dirname(__file__), "..", "deid", "profiles")  # noqa: PTH118, PTH120 - see read_table
KEEP, SAME, CLEAN, SHIFT, MAP, DUMMY, EMPTY = "keep", "same", "clean", "shift", "map", "dummy", "empty"
"""What a value that is left may be: the input's, its allowed words, its date moved, its UID mapped, a dummy, none.

`SAME` is with `KEEP` where nothing but an identifier may be missing from the value.
"""

_FULL, _MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
_TIMES = frozenset((b"DA", b"DT", b"TM"))
_TIMEZONE = 0x00080201
_TEXT_VALUE = 0x0040A160
# What the table forgets and nothing may be left of: whom to call, where the originals lie, dates in other calendars.
_NOT_LISTED = frozenset(
    (
        0x0074100C, 0x0074100A, 0x00720008, 0x21000160, 0x00100033, 0x00100034, 0x00102295, 0x00080407, 0x00080408,
        0x00080409, 0x00081190, 0x0040E010, 0x00404073, 0x00287FE0,
    )
)  # fmt: skip
_LONG_TEXT, _SHORT_TEXT = frozenset((b"ST", b"LT", b"UT")), frozenset((b"LO", b"SH", b"UC"))
_OF_PROGRAMS = frozenset(
    (
        0x00080108, 0x00080114, 0x00080115, 0x00080116, 0x0008030E, 0x0008030F, 0x00160017, 0x00160020, 0x00620020,
        0x20100010, 0x3010000C, 0x30020120,
    )
)  # fmt: skip
_SUBTYPE = 0x0045
_REMARK = re.compile("Comment|Notes|Reason")
NOTHING: frozenset[str] = frozenset()
Allowance = frozenset[str]
_SAME: Allowance = frozenset((KEEP, SAME))
Override = Callable[[tuple[int, ...], int, Callable[[], Allowance]], Allowance]
"""A project's own rules: what they allow for an attribute at a path of sequences, given what the table does."""


class Row(NamedTuple):
    """One attribute of the table.

    :param basic: action of the Basic Profile, such as `X/Z/D`.
    :param options: action by option, `K` or `C`.
    """

    basic: str
    vr: bytes
    options: Mapping[str, str]


def read_table(name: str) -> bytes:
    """Return one of the shipped tables, by its name without `.json`."""
    # pathlib takes longer to import than this to read.
    with open(os.path.join(_PROFILES, f"{name}.json"), "rb") as file:  # noqa: PTH118, PTH123 - as the comment says
        return file.read()


@lru_cache(maxsize=4)
def _document(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(read_table(name))
    return content


Content = Mapping[tuple[str, str, str], tuple[str, Mapping[str, str]]]
"""Basic action, and action by option, of a content item by coding scheme, code and value type."""


@lru_cache(maxsize=4)
def _rows(edition: str) -> tuple[Mapping[int, Row], Content]:
    document, rows = _document(f"ps315_{edition}"), {}
    for tag, _keyword, _name, vr, basic, by_option in document["attributes"]:
        if len(tag) == 8 and "x" not in tag:
            number = int(tag, 16)
            rows[number] = Row(basic, vr.encode() or entry(number)[0], by_option)
    content = {(scheme, code, kind): (basic, options) for scheme, code, kind, _, basic, options in document["content"]}
    return rows, content


class Table:
    """The table with options in force.

    :param edition: of PS3.15.
    :param override: the project's own rules.
    """

    def __init__(self, edition: str, options: Iterable[str], override: Override | None = None) -> None:
        self.options = frozenset(options)
        self._override = override
        self._rows, self._content = _rows(edition)
        self._known: dict[tuple[tuple[int, ...], int], Allowance] = {}

    @property
    def full_dates(self) -> bool:
        """Whether dates stay."""
        return _FULL in self.options

    @property
    def modified_dates(self) -> bool:
        """Whether dates are moved."""
        return _MODIFIED in self.options

    def allowed(self, path: tuple[int, ...], tag: int) -> Allowance:
        """Return what may be left of a public attribute; empty when nothing may.

        :param path: tags of the enclosing sequences.
        """
        key = path, tag
        found = self._known.get(key)
        if found is None:
            by_table = partial(self._by_table, tag)
            found = by_table() if self._override is None else self._override(path, tag, by_table)
            self._known[key] = found
        return found

    def _by_table(self, tag: int) -> Allowance:
        row = self._rows.get(tag)
        return self._unlisted(tag) if row is None else self._listed(row, tag)

    def removable(self, path: tuple[int, ...], tag: int) -> bool:
        """Whether an attribute may be missing from an output."""
        if tag >> 16 & 1 or not self.allowed(path, tag) & {KEEP, CLEAN, SHIFT, MAP}:
            return True
        row = self._rows.get(tag)
        return row is not None and ("X" in row.basic or "Z" in row.basic)

    def _listed(self, row: Row, tag: int) -> Allowance:
        basic = _basic(row.basic)
        chosen = {option: action for option, action in row.options.items() if option in self.options}
        if not chosen:
            return basic
        if "K" in chosen.values():
            return basic | {KEEP}
        if _MODIFIED in chosen:
            if row.vr in _TIMES:
                return basic | {SHIFT}
            if tag == _TIMEZONE or row.vr == b"SQ":
                return basic | {KEEP}
            return basic if len(chosen) == 1 else basic | {CLEAN}
        return basic | {CLEAN}

    def _unlisted(self, tag: int) -> Allowance:
        vr, keyword = entry(tag)
        if tag in _NOT_LISTED:
            return frozenset((DUMMY,))
        group = tag >> 16
        if not keyword or group <= 0x0007 or group >> 8 in (0x50, 0x60) or group >= 0xFFFA:
            return NOTHING
        if vr == b"UI" and is_structural(tag):
            return _SAME
        if tag == _TEXT_VALUE:
            # Of content items that no table lists.
            return frozenset((CLEAN, DUMMY) if "clean_structured_content" in self.options else (DUMMY,))
        if (vr in _LONG_TEXT and tag not in _OF_PROGRAMS) or (vr in _SHORT_TEXT and _REMARK.search(keyword)):
            # People type into these: only words that say nothing of a person may stay.
            return frozenset((CLEAN, DUMMY))
        return self.by_vr(vr)

    def graphics(self, tag: int, kind: bytes) -> Allowance:
        """Return what is allowed for an attribute of a curve (50xx) or an overlay (60xx).

        :param kind: type of the overlay (PS3.3 section C.9.2): only regions of interest hold no drawn text.
        """
        vr, _ = entry(tag)
        group, number = tag >> 24, tag & 0xFFFF
        if "clean_graphics" not in self.options or not vr:
            return NOTHING
        if kind != b"R" if group == 0x60 else 0x2000 <= number < 0x2500:
            return NOTHING
        return frozenset((CLEAN, DUMMY)) if vr in (_LONG_TEXT | _SHORT_TEXT) and number != _SUBTYPE else _SAME

    def by_vr(self, vr: bytes) -> Allowance:
        """Return what is allowed for an attribute of which nothing but its VR says anything."""
        if vr == b"PN":
            return frozenset((DUMMY,))
        if vr in _TIMES:
            return frozenset((KEEP, SAME) if self.full_dates else (SHIFT, DUMMY) if self.modified_dates else (DUMMY,))
        if vr == b"UI":
            return frozenset((KEEP,) if "retain_uids" in self.options else (MAP,))
        return _SAME

    def content(self, scheme: str, code: str, value_type: str) -> Allowance | None:
        """Return what table E.3.4-1 lets stand as the value of a content item; None when it does not list it."""
        row = self._content.get((scheme, code, value_type))
        if row is None:
            return None
        basic, by_option = row
        chosen = {action for option, action in by_option.items() if option in self.options}
        if "K" in chosen or basic == "K":
            return frozenset((KEEP, DUMMY))
        return frozenset((CLEAN, DUMMY)) if "C" in chosen or basic == "C" else frozenset((DUMMY,))


def _basic(action: str) -> Allowance:
    """Return what a basic action leaves: `X` nothing; `Z` and `D` a meaningless value; `U` a mapped UID."""
    letters = set(action.replace("*", "").split("/"))
    allowed = {DUMMY} if letters & {"Z", "D"} else set()
    return frozenset(allowed | ({MAP} if "U" in letters else set()) | ({KEEP} if "K" in letters else set()))
