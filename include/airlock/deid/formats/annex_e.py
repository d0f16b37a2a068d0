"""Spec files of dicom-anon: a copy of table E.1-1 of PS3.15 with two lines per attribute, and its whitelist.

The first line has the name and `(gggg,eeee)`, the second the table's columns, separated by tabs: the third is the basic
action, of which the first letter counts, the tenth says `C` where descriptions may be kept that the whitelist allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from airlock.deid.formats.attributes import Attribute, of_vr, parse
from airlock.deid.formats.builder import Builder
from airlock.deid.formats.json_text import read_json
from airlock.deid.formats.model import Conversion, Fate, Verdict
from airlock.deid.formats.verdicts import EMPTY, KEEP, REMOVE, pseudonym, unresolved
from airlock.errors import PolicyError

_UNLISTED_VRS = ("PN", "CS", "UI", "DA", "DT", "LT", "UN", "UT", "ST", "AE", "LO", "TM", "SH", "AS", "OB", "OW", "SQ")
"""What dicom-anon deletes of attributes that the file doesn't list; sequences it deletes in any case."""

_NAMED = re.compile(r"(?P<name>[^\t]+)\t\s*(?P<tag>\([0-9a-fA-FxX]{4},\s*[0-9a-fA-FxX]{4}\))\s*")
_IGNORED = "-_,."
_ACTIONS = {"X": REMOVE, "Z": EMPTY, "D": Verdict("dummy"), "K": KEEP}
Whitelist = Mapping[str, tuple[str, ...]]


def read_whitelist(text: str) -> dict[str, tuple[str, ...]]:
    """Read a whitelist: `{"gggg,eeee": [allowed, ...]}`.

    :return: allowed values by attribute, as project files name it.
    :raises PolicyError: when it is not one.
    """
    document = read_json(text)
    if not isinstance(document, dict):
        raise PolicyError('a whitelist is an object: {"gggg,eeee": ["allowed value"]}.')
    found: dict[str, tuple[str, ...]] = {}
    for key, values in document.items():
        attribute = parse(key)
        if attribute is None or not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise PolicyError(f"{key}: a whitelist has a tag and a list of texts.")
        found[attribute.name] = tuple(values)
    return found


def read_annex_e(text: str, whitelist: Whitelist | None = None) -> Conversion:
    """Read a spec file.

    :param whitelist: when given, the file is used as dicom-anon does with its profile `clean`.
    :raises PolicyError: when it is not one.
    """
    builder = Builder("dicom-anon spec file")
    listed = set()
    for number, name, tag, columns in _rows(text):
        attribute = parse(tag) or Attribute("tag", tag)
        listed.add(attribute.name)
        source = f"{name}: {columns[2] if len(columns) > 2 else ''}"
        builder.take(f"line {number}", source, attribute, _verdict(attribute, columns, whitelist))
    for name in set(whitelist or {}) - listed:
        attribute = parse(name) or Attribute("tag", name)
        builder.take("whitelist", "not listed", attribute, _allowed((whitelist or {})[name]))
    for vr in _UNLISTED_VRS:
        builder.take("unlisted", f"VR {vr}", of_vr(vr), REMOVE)
    return builder.finish()


def _rows(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) % 2:
        raise PolicyError(f"line {lines[-1][0]}: the last attribute lacks its second line.")
    for (number, named), (_, columns) in zip(lines[::2], lines[1::2], strict=True):
        found = _NAMED.fullmatch(named)
        if found is None:
            raise PolicyError(f"line {number}: expected a name, a tab and (gggg,eeee).")
        yield number, found["name"].strip(), found["tag"], [column.strip() for column in columns.split("\t")]


def _verdict(attribute: Attribute, columns: list[str], whitelist: Whitelist | None) -> Verdict:
    action = columns[2] if len(columns) > 2 else ""
    cleaned = len(columns) > 9 and columns[9].upper().startswith("C")
    if attribute.vr == "SQ" and action[:1] != "":
        return REMOVE if action.startswith("X") else REMOVE.because("sequences are always deleted", Fate.SAME)
    if whitelist is not None and cleaned:
        return _allowed(whitelist.get(attribute.name, ()))
    if action.startswith("U"):
        return pseudonym(attribute)
    return _ACTIONS.get(action[:1], unresolved("an action that is not known"))


def _allowed(values: tuple[str, ...]) -> Verdict:
    if not values:
        return EMPTY.because("the whitelist allows nothing here", Fate.SAME)
    return Verdict("keep-matching", {"pattern": "|".join(map(pattern_of, values))})


def pattern_of(value: str) -> str:
    """Return a pattern for the values that dicom-anon takes for the same.

    Case, `- _ , .` and the width of blanks don't count.
    """
    words = "".join(character for character in value if character not in _IGNORED).split()
    skip = f"[{re.escape(_IGNORED)}]*"
    blank = f"[{re.escape(_IGNORED)}]*\\s[\\s{re.escape(_IGNORED)}]*"
    spelled = blank.join(skip.join(map(re.escape, word)) for word in words)
    around = f"[\\s{re.escape(_IGNORED)}]*"
    return f"(?i:{around}{spelled}{around})"
