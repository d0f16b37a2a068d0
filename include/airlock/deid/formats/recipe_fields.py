"""Fields of deid recipes: names, tags, nested names, and expanders that stand for many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from pydicom._dicom_dict import DicomDictionary

from airlock.deid.formats.attributes import Attribute, parse, public

Groups = dict[tuple[str, str], list[str]]
"""Lists of field expressions, by section and name."""

_EXPANDERS = {"startswith": "^({})", "endswith": "({})$", "contains": "({})", "except": "({})"}


def expand(expression: str, groups: Groups) -> list[Attribute] | None:
    """Return the attributes that a field expression names; None when it is not understood.

    Of `except:` those that it excepts.

    :param groups: the lists that the recipe itself defines.
    """
    kind, colon, rest = expression.partition(":")
    if not colon:
        attribute = _named(expression)
        return None if attribute is None else [attribute]
    if kind.lower() == "fields":
        return _listed(groups.get(("fields", rest)), groups)
    if kind.lower() == "select":
        return _selected(rest)
    return _matching(kind.lower(), rest)


def _named(expression: str) -> Attribute | None:
    # A nested field, `Sequence__Child`: the rule is for the child at every level, which includes that one.
    return parse(expression.rsplit("__", 1)[-1])


def _listed(expressions: list[str] | None, groups: Groups) -> list[Attribute] | None:
    if expressions is None:
        return None
    found: dict[str, Attribute] = {}
    for expression in expressions:
        attributes = None if expression.startswith("fields:") else expand(expression, groups)
        if attributes is None:
            return None
        found.update((attribute.name, attribute) for attribute in attributes)
    return list(found.values())


def _selected(rest: str) -> list[Attribute] | None:
    by, _, value = rest.partition(":")
    value = value.strip().upper()
    if by.upper() == "VR" and len(value) == 2:
        return [Attribute("vr", value, vr=value)]
    if by.upper() == "GROUP" and re.fullmatch("[0-9A-F]{4}", value):
        return [Attribute("tag", f"({value.lower()},xxxx)")]
    return None


def _matching(kind: str, rest: str) -> list[Attribute] | None:
    template = _EXPANDERS.get(kind)
    if template is None or not rest:
        return None
    try:
        pattern = re.compile(template.format(rest.lower()))
    except re.error:
        return None
    return [public(tag) for tag, names in _dictionary() if any(map(pattern.search, names))]


@lru_cache(maxsize=1)
def _dictionary() -> tuple[tuple[int, tuple[str, ...]], ...]:
    return tuple(_names())


def _names() -> Iterator[tuple[int, tuple[str, ...]]]:
    for tag, (_vr, _vm, name, _retired, keyword) in DicomDictionary.items():
        if keyword and tag >> 16 > 0x0007:
            yield tag, (keyword.lower(), name.lower(), f"{tag:08x}")
