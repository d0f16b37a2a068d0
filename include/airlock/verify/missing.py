"""What an output lacks that its input had: kept values, UIDs, and what its object must have (PS3.5 section 7.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from airlock.verify.found import NOTHING, Found, Problem
from airlock.verify.judge import Judge
from airlock.verify.levels import Level
from airlock.verify.table import MAP, SAME, Table
from airlock.verify.text import NUMERIC, charset_of, entry, name_of, vr_of
from airlock.verify.uids import is_registered, is_structural

# May only be there while another one has a value: ResponsiblePersonRole, beside ResponsiblePerson (PS3.3 table C.7-1).
_FOLLOWERS = {0x00102298: 0x00102297}
_NUMBER = re.compile(rb"(?:[0-9.,+\-eE# \0]|nan|inf|ind)*", re.IGNORECASE)


def missing(table: Table, judge: Judge, path: tuple[int, ...], tag: int, level: Level) -> Found:
    """Return what is wrong when an attribute of an input is missing, and the UIDs that are lost with it.

    :param path: tags of the enclosing sequences.
    :param level: of the input.
    """
    lost: list[tuple[str, int]] = []
    if not path and SAME in table.allowed(path, tag) and _is_missed(table, judge, tag, level):
        return Found((Problem(name_of(tag), "is missing"),))
    stack = [(path, tag, level)]
    while stack:
        path, tag, level = stack.pop()
        if table.removable(path, tag):
            continue
        element = level.get(tag)
        assert element is not None
        for item in element.items or ():
            stack += [((*path, tag), each, item) for each in item.elements]
        is_uid = vr_of(tag, element.vr) == b"UI" and not is_structural(tag)
        if is_uid and MAP in table.allowed(path, tag):
            text = element.value.decode("latin-1")
            uids = (value.strip(" \0") for value in text.split("\\"))
            lost += [(uid, tag) for uid in uids if uid and not is_registered(uid)]
    return Found(lost=tuple(lost)) if lost else NOTHING


def _is_missed(table: Table, judge: Judge, tag: int, level: Level) -> bool:
    """Whether a value of the input that nothing allows to remove was left out although it holds no identifier."""
    element = level.get(tag)
    assert element is not None
    if element.items is not None or not tag & 0xFFFF or element.vr not in (b"", entry(tag)[0]):
        return False
    if vr_of(tag, element.vr) in NUMERIC and not all(map(_NUMBER.fullmatch, element.value.split(b"\\"))):
        # Text where a number belongs may go whole, identifier or not.
        return False
    if tag in _FOLLOWERS and not table.allowed((), _FOLLOWERS[tag]):
        return False
    return any(element.value) and not judge.identifies(tag, element.value, charset_of(level, b""))


def not_valid(types: dict[int, str], tags: Iterable[int], output: Level, source: Level) -> Iterator[Problem]:
    """Yield what the object must have, and its input had.

    :param types: of attributes at this level of the object.
    :param tags: those to look at.
    """
    for tag in tags:
        source_element = source.get(tag)
        if source_element is None:
            continue
        kind, left = types[tag], output.get(tag)
        if left is None:
            if kind == "2" or (kind == "1" and not source_element.empty):
                yield Problem(name_of(tag), f"is missing, and is of type {kind}")
        elif kind in ("1", "1C") and left.empty and not source_element.empty:
            yield Problem(name_of(tag), f"is empty, and is of type {kind}")
