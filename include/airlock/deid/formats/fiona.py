"""Rule lists of the FIONA anonymizer, as JSON or CSV.

A row is `[group, element, name, action, "regexp"?, "createIfMissing"?]`; one without an action writes its name as the
value. Attributes that no row names are left as they are there; here the profile table still applies to them, and
private attributes are removed.
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from airlock.deid.formats.attributes import Attribute, parse
from airlock.deid.formats.body_parts import BODY_PARTS
from airlock.deid.formats.builder import Builder
from airlock.deid.formats.json_text import read_json
from airlock.deid.formats.model import Conversion, Fate, Verdict
from airlock.deid.formats.verdicts import EMPTY, KEEP, REMOVE, hidden, pseudonym, shifted, unresolved
from airlock.errors import PolicyError

_SUBJECT = frozenset(("Re-Mapped", "PatientID", "PATIENTID"))
_PROJECT = frozenset(("ProjectName", "PROJECTNAME"))
_OF_REQUEST = frozenset(("EventName", "EVENTNAME", "SITENAME", "SITEID"))
_EXTRAS = ("", "regexp", "createIfMissing", "0", "1")


def read_fiona(text: str, project: str | None = None) -> Conversion:
    """Read a rule list.

    :param project: name of the project, which FIONA writes where a rule says `ProjectName`.
    :raises PolicyError: when it is not one.
    """
    builder = Builder("FIONA rule list")
    for number, row in enumerate(_rows(text), 1):
        place = f"rule {number}"
        cells, problem = _cells(row)
        attribute = parse(f"{cells[0]},{cells[1]}") if problem is None else None
        if attribute is None:
            named = Attribute("tag", ",".join(cells[:2]) or "(unnamed)")
            builder.take(place, " ".join(cells), named, unresolved(problem or "names no attribute"))
        else:
            builder.take(place, cells[3] or cells[2], attribute, _verdict(attribute, cells, project))
    return builder.finish()


def _rows(text: str) -> list[Any]:
    if text.lstrip("\ufeff \t\r\n").startswith("["):
        document = read_json(text)
        if not isinstance(document, list):
            raise PolicyError("a rule list is a list of rows.")
        return document
    rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if any(cell.strip() for cell in row)]
    return rows[1:] if rows and rows[0][0].strip().lower() in ("group", "tag1") else rows


def _cells(row: Any) -> tuple[list[str], str | None]:
    if isinstance(row, dict):
        row = [row.get(name, "") for name in ("group", "element", "name", "action", "regexp", "createIfMissing")]
    if not isinstance(row, list) or not all(isinstance(cell, str) for cell in row):
        return ["", "", "", ""], "a row is a list of texts"
    cells = [cell.strip() for cell in row]
    if not 3 <= len(cells) <= 6:
        return [*cells, "", "", "", ""], "a row has group, element, name and action"
    if any(extra not in _EXTRAS for extra in cells[4:]):
        return cells, "what follows the action is not known"
    return [*cells, "", "", ""], None


def _verdict(attribute: Attribute, cells: list[str], project: str | None) -> Verdict:
    name, action = cells[2], cells[3]
    if cells[4] == "regexp":
        return _captured(attribute, action)
    if action in _SUBJECT or (name in _PROJECT and action == "always"):
        return hidden(attribute, "the request's research subject is written to PatientID and PatientName only")
    if action in _PROJECT and project:
        return Verdict("replace", {"value": project})
    if action in _PROJECT or action in _OF_REQUEST:
        return hidden(attribute, "only the project's own name can be written")
    if action == "BODYPART":
        return Verdict("keep-matching", {"pattern": BODY_PARTS})
    known = _known(attribute, action)
    return known if known is not None else _literal(attribute, action or name)


def _known(attribute: Attribute, action: str) -> Verdict | None:
    if action in ("hashuid", "hashuid+PROJECTNAME", "hash"):
        return pseudonym(attribute)
    if action in ("incrementdate", "incrementdatetime"):
        return shifted(attribute, why="each subject gets an offset of its own; `days: 42` continues older data")
    if action == "process":
        return KEEP.because("the items of a sequence are always treated", Fate.SAME)
    return {"keep": KEEP, "remove": REMOVE, "empty": EMPTY}.get(action)


def _literal(attribute: Attribute, value: str) -> Verdict:
    """Any other word is what FIONA writes; one that looks like a function is not taken for a value."""
    if attribute.vr == "SQ" and attribute.keyword != "DeidentificationMethodCodeSequence":
        return unresolved("a sequence can't have a text as its value")
    if re.match(r"(?i)(hash|increment|remove|empty|delete|blank|encrypt|regen|@)", value) or "(" in value:
        return unresolved("an action that is not known")
    return Verdict("replace", {"value": value})


def _captured(attribute: Attribute, pattern: str) -> Verdict:
    try:
        groups = re.compile(pattern).groups
    except re.error:
        return unresolved("its regular expression is not valid")
    if not groups:
        return hidden(attribute, "without a group nothing would be kept")
    # FIONA searches; here a pattern is for the whole value, of which the groups stay.
    return Verdict("keep-matching", {"pattern": f"(?s:.*?)(?:{pattern})(?s:.*)"})
