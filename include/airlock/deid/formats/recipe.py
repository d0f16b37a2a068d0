"""Recipes of pydicom's deid: the header section, `ACTION FIELD [value]`.

Fields may be expanders (`startswith:`, `contains:`, ...); they are written out, one rule for each attribute of PS3.6
that they name. A rule that names its field goes before an expander. Functions are Python code outside of the recipe:
`func:` is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from airlock.deid.formats.attributes import Attribute
from airlock.deid.formats.builder import Builder
from airlock.deid.formats.model import Conversion, Fate, Verdict
from airlock.deid.formats.recipe_fields import Groups, expand
from airlock.deid.formats.verdicts import DATE_VRS, EMPTY, KEEP, REMOVE, pseudonym, shifted, unresolved
from airlock.errors import PolicyError

_HEADER_ACTIONS = ("ADD", "BLANK", "JITTER", "KEEP", "REMOVE", "REPLACE")
_SECTIONS = ("header", "labels", "filter", "fields", "values")
_FILTERS = ("contains", "notcontains", "equals", "notequals", "missing", "present", "empty", "label")
_VARIABLES = frozenset(("id", "jitter", "entity_id", "item_id", "source_id", "entity_timestamp", "item_timestamp"))
_DEID_FUNCTIONS = {"dicom_uuid", "pydicom_uuid", "simple_uuid", "suffix_uuid"}


@dataclass
class _Recipe:
    lines: list[tuple[int, str, str, str]] = field(default_factory=list)
    groups: Groups = field(default_factory=dict)
    elsewhere: list[tuple[int, str]] = field(default_factory=list)


def read_recipe(text: str) -> Conversion:
    """Read a recipe.

    :raises PolicyError: when it is not one, or a line is not understood.
    """
    recipe = _split(text)
    builder = Builder("deid recipe")
    named = [line for line in recipe.lines if ":" not in line[2] and line[2].lower() != "all"]
    added = {name for _, action, name, _ in named if action == "ADD"}
    for line in (*named, *(line for line in recipe.lines if line not in named)):
        if line[2] in added and line[1] in ("REMOVE", "BLANK"):
            why = "a value is added in its place"
            builder.note(f"line {line[0]}", line[2], f"{line[1]} {line[2]}", "", Fate.LEFT_OUT, why)
        elif line[2] in _VARIABLES and line[1] == "REMOVE":
            builder.note(f"line {line[0]}", line[2], f"REMOVE {line[2]}", "", Fate.LEFT_OUT, "a variable of deid's own")
        else:
            _take(builder, line, recipe.groups, {name for _, _, name, _ in named})
    for section, told in _ELSEWHERE.items():
        lines = [number for number, where in recipe.elsewhere if where == section]
        if lines:
            builder.note(f"line {lines[0]}", f"%{section}", f"{len(lines)} lines", "", *told)
    return builder.finish()


_ELSEWHERE = {
    "filter": (Fate.COVERED, "the pixels of every image are searched for text; rules for pixels stand under `pixels`"),
    "labels": (Fate.LEFT_OUT, "says something about the recipe only"),
}


def _split(text: str) -> _Recipe:
    recipe, section, name, formatted = _Recipe(), "", "", False
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if found := re.fullmatch(r"(?i)FORMAT\s+(\S+)", line):
            formatted = found[1].lower() == "dicom"
        elif line.startswith("%"):
            section, _, name = line[1:].split("#", 1)[0].strip().partition(" ")
            section = section.lower()
            if section not in _SECTIONS:
                raise PolicyError(f"line {number}: %{section} is no section of a recipe.")
            recipe.groups.setdefault((section, name.strip()), [])
        else:
            _sort(recipe, number, section, name.strip(), line)
    if not formatted:
        raise PolicyError("a recipe for headers says FORMAT dicom.")
    return recipe


def _sort(recipe: _Recipe, number: int, section: str, name: str, line: str) -> None:
    if section == "header":
        action, _, rest = line.partition(" ")
        field_name, _, value = rest.strip().partition(" ")
        if action.upper() not in _HEADER_ACTIONS or not field_name:
            raise PolicyError(f"line {number}: a header rule is one of {', '.join(_HEADER_ACTIONS)} and a field.")
        recipe.lines.append((number, action.upper(), field_name, value.split("#", 1)[0].strip()))
    elif section == "fields":
        word, _, expression = line.partition(" ")
        if word.upper() != "FIELD" or not expression.strip():
            raise PolicyError(f"line {number}: a list of fields has lines FIELD and an expression.")
        recipe.groups["fields", name].append(expression.split("#", 1)[0].strip())
    elif section == "filter" and not _is_filter(line):
        raise PolicyError(f"line {number}: no condition of a filter.")
    elif section in ("filter", "labels"):
        recipe.elsewhere.append((number, section))
    elif section != "values":
        raise PolicyError(f"line {number}: a rule stands below a section such as %header.")


def _is_filter(line: str) -> bool:
    words = line.lstrip("+| ").lower().split(maxsplit=1)
    return words[0] in _FILTERS or words[0].endswith("coordinates")


def _take(builder: Builder, line: tuple[int, str, str, str], groups: Groups, named: set[str]) -> None:
    number, action, name, value = line
    place, source = f"line {number}", " ".join((action, name, value)).strip()
    everything = name.lower() == "all" or name.lower().startswith("except:")
    if everything and (name.lower() == "all" or action in ("REMOVE", "BLANK")):
        _take_all(builder, place, source, action)
        if name.lower() == "all":
            return
        # What it excepts is what the others must not do to it.
        action, value = "KEEP", ""
    attributes = expand(name, groups)
    if not attributes:
        harmless = action == "KEEP" or (attributes is not None and action == "ADD")
        why = "a field that is not known" if attributes is None else "names no attribute of PS3.6"
        if harmless:
            builder.note(place, name, source, "", Fate.LEFT_OUT, why)
        else:
            builder.take(place, source, Attribute("tag", name), unresolved(why))
        return
    by_name = {attribute.name for attribute in attributes if ":" in name and attribute.name in named}
    for attribute in attributes:
        if attribute.name not in by_name:
            builder.take(place, source, attribute, _verdict(attribute, action, value))


def _take_all(builder: Builder, place: str, source: str, action: str) -> None:
    if action in ("REMOVE", "BLANK"):
        builder.conversion.allow_list = True
        fate = Fate.SAME if action == "REMOVE" else Fate.STRICTER
        builder.note(place, "all others", source, "remove", fate)
    elif action == "KEEP":
        builder.note(place, "all others", source, "", Fate.LEFT_OUT, "what PS3.15 lists is treated as it says")
    else:
        builder.take(place, source, Attribute("tag", "all"), unresolved("one value for all fields"))


def _verdict(attribute: Attribute, action: str, value: str) -> Verdict:
    if action == "REMOVE" and value:
        return REMOVE.because("removed whatever its value is")
    if action in ("REMOVE", "BLANK", "KEEP"):
        return {"REMOVE": REMOVE, "BLANK": EMPTY, "KEEP": KEEP}[action]
    if not value:
        return unresolved("a value is missing")
    return _jitter(attribute, value) if action == "JITTER" else _replaced(attribute, value)


def _jitter(attribute: Attribute, value: str) -> Verdict:
    if re.fullmatch(r"[+-]?\d+", value):
        return shifted(attribute, int(value))
    if value.startswith("var:"):
        return shifted(attribute, why="the deployment key gives each subject its offset")
    return unresolved("an offset is a number of days")


def _replaced(attribute: Attribute, value: str) -> Verdict:
    kind, _, rest = value.partition(":")
    reader = _VALUES.get(kind) if rest else None
    if reader is not None:
        return reader(attribute, rest)
    if attribute.vr == "SQ":
        return unresolved("a sequence can't have a text as its value")
    return Verdict("replace", {"value": value})


def _variable(attribute: Attribute, _name: str) -> Verdict:
    why = "the deployment makes it, no other program"
    return shifted(attribute, why=why) if attribute.vr in DATE_VRS else pseudonym(attribute, why=why)


def _function(attribute: Attribute, _name: str) -> Verdict:
    return unresolved("func: runs code that is not in the recipe")


def _deid_function(attribute: Attribute, call: str) -> Verdict:
    name, _, arguments = call.partition(" ")
    if name in _DEID_FUNCTIONS:
        why = "" if attribute.vr == "UI" else "a keyed hash, the same at every run"
        return pseudonym(attribute, why=why)
    if name == "jitter":
        found = re.fullmatch(r"\s*days=([+-]?\d+)\s*", arguments)
        return shifted(attribute, int(found[1])) if found else unresolved("jitter needs days=")
    return unresolved(f"the function deid_func:{name} is not known")


_VALUES: dict[str, Callable[[Attribute, str], Verdict]] = {
    "var": _variable,
    "func": _function,
    "deid_func": _deid_function,
}
