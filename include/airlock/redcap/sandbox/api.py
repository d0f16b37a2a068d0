"""What the sandbox answers to a form, by its `content`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airlock.redcap.sandbox.events import Events
from airlock.redcap.sandbox.files import Files
from airlock.redcap.sandbox.places import BadRequest
from airlock.redcap.sandbox.records import Records

VERSION = "14.5.10"
UNSUPPORTED = ("filterLogic", "dateRangeBegin", "dateRangeEnd")
PLAIN = ("version", "generateNextRecordName")
"""Contents that REDCap answers with plain text, whatever the format."""

Form = Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """Status and body of an answer; text and bytes are sent as they are, anything else as JSON."""

    status: int
    body: Any
    file_name: str = ""

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()

    @property
    def content_type(self) -> str:
        """Its type: a file tells its name there, as REDCap's do."""
        if self.file_name:
            return f'application/octet-stream; name="{self.file_name}"'
        return "text/html" if self.content.startswith(b"<") else "application/json; charset=utf-8"


@dataclass(frozen=True)
class Api:
    """The API of one project.

    :param rights: `export`, `import` or both, by token.
    """

    records: Records
    rights: Mapping[str, frozenset[str]]
    files: Files

    def answer(self, form: Form) -> Reply:
        """Answer a form as REDCap does."""
        granted = self.rights.get(form.get("token", ""))
        if granted is None:
            return Reply(403, {"error": "You do not have permissions to use the API"})
        answer = ANSWERS.get(form.get("content", ""))
        if answer is None:
            return Reply(400, {"error": 'The value of the parameter "content" is not valid in this sandbox'})
        needed = "import" if "data" in form or form.get("action") in ("delete", "import") else "export"
        if needed not in granted:
            name = {"import": "Import/Update", "export": "Export"}[needed]
            return Reply(403, {"error": f"You do not have API {name} privileges"})
        try:
            formats = {form.get("format", "json"), form.get("returnFormat", "json")}
            if formats != {"json"} and form["content"] not in PLAIN:
                raise BadRequest("This sandbox speaks JSON only")
            return answer(self, form)
        except BadRequest as error:
            return Reply(400, {"error": str(error)})

    def record(self, form: Form) -> Reply:
        """Export, import or delete records."""
        if form.get("action") == "delete":
            repeat = form.get("repeat_instance", "")
            instance = int(repeat) if repeat.isdecimal() else None
            ids, instrument = _list(form, "records"), form.get("instrument", "")
            deleted = self.records.delete(ids, instrument, instance, form.get("event", ""))
            return Reply(200, str(deleted))
        if form.get("type", "flat") != "flat":
            raise BadRequest("This sandbox speaks flat records only")
        if unsupported := [name for name in UNSUPPORTED if form.get(name) or f"{name}[0]" in form]:
            raise BadRequest(f"This sandbox does not support {', '.join(unsupported)}; filter what it returns")
        if "data" in form:
            return self._import(form)
        chosen = {name: _list(form, name) for name in ("records", "fields", "forms", "events")}
        rows = self.records.rows(**chosen, label=form.get("rawOrLabel") == "label")
        return Reply(200, rows)

    def _import(self, form: Form) -> Reply:
        if form.get("overwriteBehavior", "normal") not in ("normal", "overwrite"):
            raise BadRequest('The value of the parameter "overwriteBehavior" is not valid')
        try:
            rows = json.loads(form["data"])
        except (ValueError, RecursionError):
            raise BadRequest("The data being imported is not formatted correctly") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            # REDCap takes a single object for an empty list, and says that all went well.
            return Reply(200, {"count": 0})
        number = form.get("forceAutoNumber", "").lower() in ("true", "1")
        imported = self.records.load(rows, overwrite=form.get("overwriteBehavior") == "overwrite", number=number)
        content = form.get("returnContent", "count")
        replies: dict[str, Any] = {
            "count": {"count": len(imported.ids)},
            "ids": imported.ids,
            "auto_ids": [f"{new},{old}" for new, old in imported.numbered] if number else {"count": len(imported.ids)},
            "nothing": "",
        }
        if content not in replies:
            raise BadRequest('The value of the parameter "returnContent" is not valid')
        return Reply(200, replies[content])

    def file(self, form: Form) -> Reply:
        """Export, import or delete the file of a field."""
        action = form.get("action", "")
        if action == "export":
            name, content = self.files.export(form)
            return Reply(200, content, name)
        if action not in ("import", "delete"):
            raise BadRequest('The value of the parameter "action" is not valid')
        (self.files.load if action == "import" else self.files.delete)(form)
        return Reply(200, "")

    def metadata(self, form: Form) -> Reply:
        """Export the data dictionary."""
        fields, forms = _list(form, "fields"), _list(form, "forms")
        everything = not fields and not forms
        known = self.records.dictionary.fields
        return Reply(200, [i.row for i in known if everything or i.name in fields or i.form in forms])

    def project(self, _form: Form) -> Reply:
        """Describe the project."""
        dictionary = self.records.dictionary
        description = {
            "project_id": 1,
            "project_title": dictionary.title,
            "in_production": 0,
            "project_language": "English",
            "purpose": 0,
            "is_longitudinal": int(dictionary.events.longitudinal),
            "has_repeating_instruments_or_events": int(bool(dictionary.events.repeating)),
            "surveys_enabled": 0,
            "record_autonumbering_enabled": 0,
            "project_notes": "",
        }
        return Reply(200, description)

    def instrument(self, _form: Form) -> Reply:
        """List the instruments."""
        forms = self.records.dictionary.forms
        labels = [{"instrument_name": form, "instrument_label": form.replace("_", " ").capitalize()} for form in forms]
        return Reply(200, labels)

    def field_names(self, form: Form) -> Reply:
        """List the names of fields in records."""
        wanted = form.get("field", "")
        named = self.records.dictionary.by_name
        if wanted and wanted not in named:
            raise BadRequest(f'The value of the parameter "field" is not valid: {wanted}')
        rows = [
            {
                "original_field_name": item.name,
                "choice_value": column.partition("___")[2] if item.kind == "checkbox" else "",
                "export_field_name": column,
            }
            for item in named.values()
            for column in item.columns
            if wanted in ("", item.name)
        ]
        return Reply(200, rows)

    def repeating(self, form: Form) -> Reply:
        """List the repeating instruments and events."""
        _check_only_exported(form)
        rows = self.records.dictionary.events.repeating_rows()
        if not rows:
            raise BadRequest("You cannot export repeating instruments and events because the project does not have any")
        return Reply(200, rows)

    def events(self, form: Form) -> Reply:
        """List the events."""
        return Reply(200, self._longitudinal(form, "events").event_rows(_list(form, "arms")))

    def arms(self, form: Form) -> Reply:
        """List the arms."""
        return Reply(200, self._longitudinal(form, "arms").arm_rows(_list(form, "arms")))

    def mappings(self, form: Form) -> Reply:
        """List which event has which instrument."""
        return Reply(200, self._longitudinal(form, "form/event mappings").mapping_rows(_list(form, "arms")))

    def _longitudinal(self, form: Form, what: str) -> Events:
        events = self.records.dictionary.events
        if not events.longitudinal:
            raise BadRequest(f"You cannot export {what} for classic projects")
        _check_only_exported(form)
        return events


def _check_only_exported(form: Form) -> None:
    if "data" in form or form.get("action", "export") != "export":
        raise BadRequest("This sandbox has the events of its dictionary file; change them there")


ANSWERS: dict[str, Callable[[Api, Form], Reply]] = {
    "record": Api.record,
    "file": Api.file,
    "metadata": Api.metadata,
    "project": Api.project,
    "instrument": Api.instrument,
    "exportFieldNames": Api.field_names,
    "repeatingFormsEvents": Api.repeating,
    "version": lambda _api, _form: Reply(200, VERSION),
    "generateNextRecordName": lambda api, _form: Reply(200, str(api.records.next_name())),
    "event": Api.events,
    "arm": Api.arms,
    "formEventMapping": Api.mappings,
}


def _list(form: Form, name: str) -> list[str]:
    """Values of a list parameter: `name[0]=a&name[1]=b`, `name[]=a`, or `name=a,b`."""
    indexed = [value for key, value in form.items() if re.fullmatch(rf"{name}\[[^\]]*\]", key)]
    plain = form.get(name, "")
    return [value for value in [*indexed, *re.split(r"[,\s]+", plain)] if value]
