"""The list of projects in REDCap: FIONA's *DataTransferProjects*, one record per project.

What it says becomes part of a project's policy (`airlock.registry`): whether the project is active, when its approval
holds, how its subjects are named, what is left out, and which series keep their pixels. Contacts and tokens are never
asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from airlock.errors import StatusRefused
from airlock.project import ProjectPolicy
from airlock.redcap.client import RedcapClient, Row
from airlock.registry import Registered, Registry, read_registry, write_registry

NAME = "project_name"
EXCLUSIONS = "rewritepixelexclusions"
FIELDS = (
    NAME,
    "project_active",
    "project_features",
    "project_rec_start_date",
    "project_rec_end_date",
    "project_patient_naming",
    "project_import_rule_1_tag",
    "project_import_rule_1_regexp",
    "rewrite_ex_tag",
    "rewrite_ex_reg",
)
FEATURES = {
    "project_features___0": (("screen", "remove_presentation_states"), True),
    "project_features___1": (("pixels", "rewrite"), False),
    "project_features___2": (("screen", "remove_secondary_captures"), True),
}
DATES = {"project_rec_start_date": "start", "project_rec_end_date": "end"}
_TAG = re.compile(r"\(?\s*(?:0x)?([0-9A-Fa-f]{4})\s*[:,]?\s*(?:0x)?([0-9A-Fa-f]{4})\)?(?:\s.*)?", re.DOTALL)


def sync_projects(
    client: RedcapClient, folder: Path, connection: str | None = None, *, forget: bool = False
) -> Registry:
    """Ask REDCap for its projects, and write what it says beside the project policies.

    :param folder: of the policies.
    :param connection: Airflow connection of the REDCap that is told of these projects' transfers; None tells nobody.
    :param forget: drop projects that REDCap doesn't list any more, instead of blocking them.
    :return: what was written.
    :raises StatusRefused: when REDCap refuses, has another kind of project, or lists none at all.
    :raises PeerUnavailable: when REDCap does not answer.
    :raises PolicyError: when the registry cannot be read or written.
    """
    projects = read_projects(client, connection)
    if not projects:
        raise StatusRefused("REDCap lists no project. What it said before stays. Check the token of the connection.")
    before = Registry() if forget else read_registry(folder)
    registry = before.succeeded_by(projects, datetime.now(UTC))
    write_registry(folder, registry)
    return registry


def read_projects(client: RedcapClient, connection: str | None = None) -> dict[str, Registered]:
    """Return what REDCap says about each project, by name. Parameters and errors as :func:`sync_projects`."""
    dictionary = {str(row.get("field_name")): row for row in client.metadata()}
    known = [name for name in FIELDS if name in dictionary]
    if NAME not in known:
        raise StatusRefused(
            f"This REDCap project has no field {NAME}: it is not the list of projects. Check the token of the "
            "connection; each REDCap project has its own."
        )
    choices = {name: _choices(dictionary[name]) for name in known}
    main: dict[str, Row] = {}
    exclusions: dict[str, list[Row]] = {}
    for row in client.export_records(fields=known):
        name = str(row.get(NAME) or "").strip()
        if row.get("redcap_repeat_instrument") == EXCLUSIONS:
            exclusions.setdefault(name, []).append(row)
        elif not row.get("redcap_repeat_instrument") and name:
            main[name] = row
    return {
        name: _checked(name, _registered(row, exclusions.get(name, []), choices, connection))
        for name, row in main.items()
    }


def _choices(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of a field by code; its labels name tags, its codes are numbers."""
    text = str(row.get("select_choices_or_calculations") or "")
    pairs = (choice.split(",", 1) for choice in text.split("|") if "," in choice)
    return {code.strip(): label.strip() for code, label in pairs}


def _registered(
    row: Row, exclusions: list[Row], choices: Mapping[str, Mapping[str, str]], connection: str | None
) -> Registered:
    found = Registered({"redcap": {"connection": connection}} if connection else {})
    for path, value in _values(row):
        if isinstance(value, ValueError):
            found.problems[".".join(path)] = str(value)
        else:
            _put(found.fields, path, value)
    _import_rule(row, choices, found)
    _exclusions(exclusions, choices, found)
    return found


def _values(row: Row) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each part of the policy that a row tells, or what is wrong with it."""
    if "project_active" in row:
        # A blank is no yes.
        yield ("active",), _text(row, "project_active").lower() in ("1", "yes", "true")
    for name, (path, value) in FEATURES.items():
        if _text(row, name) == "1":
            yield path, value
    for name, part in DATES.items():
        text = _text(row, name)
        if text:
            yield ("approval", part), _date(name, text)
    if pattern := _text(row, "project_patient_naming"):
        yield ("subject_pattern",), pattern


def _date(name: str, text: str) -> str | ValueError:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return ValueError(f"{name} in REDCap is not a date")


def _import_rule(row: Row, choices: Mapping[str, Mapping[str, str]], found: Registered) -> None:
    """FIONA's import rule: of one attribute, only what the expression's groups match is kept."""
    field, pattern = "project_import_rule_1_tag", _text(row, "project_import_rule_1_regexp")
    named = _text(row, field)
    if not named and not pattern:
        return
    tag = _tag(choices.get(field, {}).get(named, named))
    if not tag or not pattern:
        found.problems["deidentify.rules"] = "the import rule in REDCap lacks a tag that is understood, or its pattern"
        return
    # FIONA searches the expression anywhere in the value; here a rule's expression is for the whole value.
    rule = {"tag": tag, "action": "keep-matching", "pattern": f"(?s:.*?)(?:{pattern})(?s:.*)"}
    _put(found.fields, ("deidentify", "rules"), [rule])


def _exclusions(rows: list[Row], choices: Mapping[str, Mapping[str, str]], found: Registered) -> None:
    listed = []
    for row in rows:
        named, pattern = _text(row, "rewrite_ex_tag"), _text(row, "rewrite_ex_reg")
        tag = _tag(choices.get("rewrite_ex_tag", {}).get(named, named))
        if not tag or not pattern:
            # Without the row, more is rewritten, not less: nothing leaks, and the project need not stop.
            continue
        listed.append({"tag": tag, "pattern": pattern})
    if listed:
        _put(found.fields, ("screen", "rewrite_exclusions"), listed)


def _tag(text: str) -> str:
    """Return `(gggg,eeee)` for a tag as REDCap's labels write it (`0x0020:0x4000 Image Comments`), or nothing."""
    match = _TAG.fullmatch(text.strip())
    return f"({match[1].lower()},{match[2].lower()})" if match else ""


def _text(row: Row, name: str) -> str:
    return str(row.get(name) if row.get(name) is not None else "").strip()


def _put(content: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        content = content.setdefault(name, {})
    content[path[-1]] = value


def _checked(name: str, found: Registered) -> Registered:
    """Turn what no policy may say into problems, so that one project's mistake doesn't stop the others."""
    try:
        ProjectPolicy.model_validate(found.fill({"name": name}))
    except ValidationError as error:
        for path in dict.fromkeys(_field_path(e["loc"]) for e in error.errors()):
            if path == "name":
                found.problems[""] = "its name in REDCap is empty or longer than 64 characters"
                continue
            found.problems[path] = f"what REDCap says for {path} cannot be used"
            _drop(found.fields, path.split("."))
    return found


def _field_path(location: tuple[int | str, ...]) -> str:
    """Return the field of a policy, without the place inside of it."""
    names = [part for part in location if isinstance(part, str)]
    return ".".join(names[:2] if names[0] in ("approval", "screen", "deidentify", "pixels", "redcap") else names[:1])


def _drop(content: dict[str, Any], path: list[str]) -> None:
    for name in path[:-1]:
        content = content.get(name, {})
    content.pop(path[-1], None)
