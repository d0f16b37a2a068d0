"""Data dictionary of a sandbox project: instruments, fields, and which values a field takes.

The default is the part of FIONA's *Incoming* project that a transfer touches.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from airlock.errors import PolicyError
from airlock.redcap.sandbox.events import Events

# Columns of REDCap's metadata export, in its order.
COLUMNS = (
    "field_name",
    "form_name",
    "section_header",
    "field_type",
    "field_label",
    "select_choices_or_calculations",
    "field_note",
    "text_validation_type_or_show_slider_number",
    "text_validation_min",
    "text_validation_max",
    "identifier",
    "branching_logic",
    "required_field",
    "custom_alignment",
    "question_number",
    "matrix_group_name",
    "matrix_ranking",
    "field_annotation",
)
COMPLETE_CHOICES = {"0": "Incomplete", "1": "Unverified", "2": "Complete"}
DATE_FORMATS = {
    "date_ymd": "%Y-%m-%d",
    "datetime_ymd": "%Y-%m-%d %H:%M",
    "datetime_seconds_ymd": "%Y-%m-%d %H:%M:%S",
    "time": "%H:%M",
}
NUMBER_PATTERNS = {"integer": r"-?[0-9]+", "number": r"-?[0-9]*\.?[0-9]+"}


@dataclass(frozen=True)
class Field:
    """One field of an instrument.

    :param kind: REDCap's field type (`text`, `notes`, `checkbox`, `radio`, `dropdown`, `yesno`, `file`).
    :param validation: REDCap's text validation type, or empty.
    :param choices: label by code, of a checkbox, radio or dropdown field.
    """

    name: str
    form: str
    kind: str
    label: str
    validation: str
    choices: dict[str, str]
    row: dict[str, str]

    @classmethod
    def of(cls, row: dict[str, Any]) -> Field:
        """Read a row of a metadata export."""
        complete = {column: str(row.get(column, "")) for column in COLUMNS}
        choices = complete["select_choices_or_calculations"] if complete["field_type"] != "calc" else ""
        pairs = (choice.split(",", 1) for choice in choices.split("|") if "," in choice)
        return cls(
            complete["field_name"],
            complete["form_name"],
            complete["field_type"],
            complete["field_label"],
            complete["text_validation_type_or_show_slider_number"],
            {code.strip(): label.strip() for code, label in pairs},
            complete,
        )

    @property
    def columns(self) -> list[str]:
        """Names of the field in records: a checkbox has one per choice."""
        return [f"{self.name}___{code}" for code in self.choices] if self.kind == "checkbox" else [self.name]

    def accepts(self, value: str) -> bool:
        """Whether a value that is not blank may be stored."""
        if self.kind in ("checkbox", "yesno"):
            return value in ("0", "1")
        if self.choices:
            return value in self.choices
        if self.validation in DATE_FORMATS:
            try:
                datetime.strptime(value, DATE_FORMATS[self.validation])  # noqa: DTZ007 - only its shape is checked
            except ValueError:
                return False
            return True
        pattern = NUMBER_PATTERNS.get(self.validation)
        return pattern is None or re.fullmatch(pattern, value) is not None


@dataclass(frozen=True)
class Dictionary:
    """The fields of a project, and its events. The first field is the record id."""

    title: str
    fields: tuple[Field, ...]
    events: Events

    @classmethod
    def load(cls, path: Path | None = None) -> Dictionary:
        """Read a dictionary: a JSON object with `title`, `fields` (a metadata export) and what :meth:`Events.of` reads.

        :param path: the default dictionary when None.
        :raises PolicyError: when the file is something else.
        """
        path = path or Path(__file__).with_name("incoming.json")
        try:
            document = json.loads(path.read_text("utf-8"))
            fields = tuple(Field.of(row) for row in document["fields"])
            forms = list(dict.fromkeys(item.form for item in fields))
            dictionary = cls(str(document["title"]), fields, Events.of(document, forms))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            raise PolicyError(
                f"{path}: not a data dictionary. It is a JSON object with title, fields as REDCap's metadata export "
                "has them, repeating, and, of a longitudinal project, arms, events and mappings as REDCap exports them."
            ) from None
        if not fields or not all(item.name and item.form for item in fields):
            raise PolicyError(f"{path}: each field needs a field_name and a form_name.")
        return dictionary

    @property
    def record_id(self) -> str:
        """Name of the record id field."""
        return self.fields[0].name

    @cached_property
    def forms(self) -> list[str]:
        """Names of the instruments, in order."""
        return list(dict.fromkeys(item.form for item in self.fields))

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Every field by its name, with the status field of each instrument."""
        named: dict[str, Field] = {}
        for form in self.forms:
            named |= {item.name: item for item in self.fields if item.form == form}
            name = f"{form}_complete"
            named.setdefault(name, Field(name, form, "dropdown", "Complete?", "", COMPLETE_CHOICES, {}))
        return named

    @cached_property
    def by_column(self) -> dict[str, Field]:
        """Every field by the names it has in records."""
        return {column: item for item in self.by_name.values() for column in item.columns}
