"""Records of a sandbox project: import and export of flat rows, with REDCap's rules and REDCap's words for errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airlock.redcap.sandbox.dictionary import Dictionary, Field
from airlock.workspace import write_atomically

Row = dict[str, Any]
Place = tuple[str, str, int]
"""Record, repeating instrument (empty for the record itself), repeat instance (0 for the record itself)."""

REPEAT_COLUMNS = ("redcap_repeat_instrument", "redcap_repeat_instance")


class BadRequest(Exception):
    """REDCap answers 400 with this text."""


@dataclass(frozen=True)
class Imported:
    """What an import did.

    :param ids: the records it touched, in order.
    :param numbered: new record id and the id it was sent with, when REDCap numbered the records.
    """

    ids: list[str]
    numbered: list[tuple[str, str]]


@dataclass
class Records:
    """The stored values, by place and column. Blank values are not stored.

    :param state: file that keeps them between two starts, if any.
    :param locked: records that somebody locked: nothing in them can be changed.
    """

    dictionary: Dictionary
    state: Path | None = None
    values: dict[Place, dict[str, str]] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Take up what the state file holds."""
        if self.state is not None and self.state.exists():
            for record, instrument, instance, values in json.loads(self.state.read_text("utf-8")):
                self.values[record, instrument, instance] = values

    def save(self) -> None:
        """Write the state file."""
        if self.state is not None:
            self.state.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.state, json.dumps([[*place, values] for place, values in self.values.items()]))

    def keep_file(self, place: Place, name: str, shown: str) -> None:
        """Note in a field of type `file` what an export shows of it; blank when there is no file any more."""
        self.values.setdefault(place, {})[name] = shown
        self.save()

    def next_name(self) -> int:
        """Return the record id that auto-numbering gives next."""
        return max((int(record) for record, *_ in self.values if record.isdecimal()), default=0) + 1

    def delete(self, records: Sequence[str], instrument: str, instance: int | None) -> int:
        """Delete records, or one instrument or repeat instance of them. Return how many records that were."""
        known = {record for record, *_ in self.values}
        if missing := [record for record in records if record not in known]:
            raise BadRequest(f"One or more of the records provided do not exist: {', '.join(missing)}")
        for place in list(self.values):
            if place[0] in records and instrument in ("", place[1]) and instance in (None, place[2]):
                del self.values[place]
        self.save()
        return len(set(records))

    # Import

    def load(self, rows: list[Row], *, overwrite: bool, number: bool = False) -> Imported:
        """Store rows: all, or none when one is wrong.

        :param overwrite: a blank clears the stored value, instead of being ignored.
        :param number: give every record of the rows a new record id.
        :raises BadRequest: with REDCap's report, one line per wrong value.
        """
        self._check_columns(rows)
        renamed: dict[str, str] = {}
        for row in rows if number else ():
            sent = _text(row[self.dictionary.record_id])
            renamed.setdefault(sent, str(self.next_name() + len(renamed)))
        problems: list[str] = []
        pending = [self._place(row, renamed, problems) for row in rows]
        for row, place in zip(rows, pending, strict=True):
            problems += self._problems(row, place)
        if problems:
            raise BadRequest("\n".join(problems))
        for row, place in zip(rows, pending, strict=True):
            self._store(row, self._numbered(place), overwrite)
        self.save()
        return Imported(
            list(dict.fromkeys(place[0] for place in pending)), [(new, old) for old, new in renamed.items()]
        )

    def _check_columns(self, rows: list[Row]) -> None:
        record_id = self.dictionary.record_id
        known = {*self.dictionary.by_column, *(REPEAT_COLUMNS if self.dictionary.repeating else ())}
        if unknown := list(dict.fromkeys(name for row in rows for name in row if name not in known)):
            raise BadRequest(
                f"The following fields were not found in the project as real data fields: {', '.join(unknown)}"
            )
        if any(not _text(row.get(record_id)).strip() for row in rows):
            raise BadRequest(f"The record identifier field ({record_id}) must have a value in every row.")

    def _place(self, row: Row, renamed: dict[str, str], problems: list[str]) -> Place:
        record = _text(row[self.dictionary.record_id])
        record = renamed.get(record, record)
        instrument, instance = (_text(row.get(name)) for name in REPEAT_COLUMNS)
        if not instrument:
            if instance:
                problems.append(
                    _line(record, REPEAT_COLUMNS[1], instance, "cannot have a value without an instrument.")
                )
            return record, "", 0
        if instrument not in self.dictionary.repeating:
            reason = "redcap_repeat_instrument must be the unique form name of a Repeating Instrument."
            problems.append(_line(record, REPEAT_COLUMNS[0], instrument, reason))
        if instance == "new":
            return record, instrument, -1
        if not instance.isdecimal() or not 1 <= int(instance) <= 32767:
            reason = "redcap_repeat_instance must be a whole number from 1 to 32767, or new."
            problems.append(_line(record, REPEAT_COLUMNS[1], instance, reason))
            return record, instrument, 0
        return record, instrument, int(instance)

    def _problems(self, row: Row, place: Place) -> Iterator[str]:
        record, instrument, _ = place
        for name, value in self._data(row):
            item = self.dictionary.by_column[name]
            if record in self.locked:
                reason = "This field is located on a form that is locked. You must first unlock this form."
                yield _line(record, name, value, reason)
            elif not value:
                continue
            elif item.kind == "file":
                yield _line(record, name, value, "This is a file field, which cannot be imported as a value.")
            elif item.choices and not item.accepts(value):
                yield _line(record, name, value, f"The value is not a valid category for {name}")
            elif not item.accepts(value):
                reason = "could not be validated because it does not follow the expected format. Please try again."
                yield _line(record, name, value, f"The value you provided {reason}")
            elif instrument != (item.form if item.form in self.dictionary.repeating else ""):
                reason = "is not on the instrument of this row (see redcap_repeat_instrument), so it must be blank."
                yield _line(record, name, value, f"The field {reason}")

    def _numbered(self, place: Place) -> Place:
        record, instrument, instance = place
        if instance == -1:
            taken = (n for r, i, n in self.values if (r, i) == (record, instrument))
            instance = max(taken, default=0) + 1
        return record, instrument, instance

    def _store(self, row: Row, place: Place, overwrite: bool) -> None:
        self.values.setdefault((place[0], "", 0), {})
        stored = self.values.setdefault(place, {})
        for name, value in self._data(row):
            if value:
                stored[name] = value
            elif overwrite:
                stored.pop(name, None)

    def _data(self, row: Row) -> Iterator[tuple[str, str]]:
        for name, value in row.items():
            if name != self.dictionary.record_id and name not in REPEAT_COLUMNS:
                yield name, _text(value)

    # Export

    def rows(
        self, records: Sequence[str] = (), fields: Sequence[str] = (), forms: Sequence[str] = (), label: bool = False
    ) -> list[Row]:
        """Return flat rows: of each record first itself, then its repeat instances.

        :param fields: field names; with `forms` all empty, every field.
        :param label: labels instead of codes.
        :raises BadRequest: naming fields or instruments that do not exist.
        """
        chosen = self._chosen(fields, forms)
        wanted = {item.form for item in chosen if item.name != self.dictionary.record_id}
        order = {form: index for index, form in enumerate(["", *self.dictionary.forms])}
        places = sorted(self.values, key=lambda place: (place[0], order[place[1]], place[2]))
        return [
            self._row(place, chosen, label)
            for place in places
            if (not records or place[0] in records) and self._shown(place, wanted)
        ]

    def _chosen(self, fields: Sequence[str], forms: Sequence[str]) -> list[Field]:
        for parameter, names, known in (("fields", fields, self.dictionary.by_name), ("forms", forms, None)):
            allowed = self.dictionary.forms if known is None else known
            if unknown := [name for name in names if name not in allowed]:
                listed = ", ".join(f"'{name}'" for name in unknown)
                raise BadRequest(f'The following values in the parameter "{parameter}" are not valid: {listed}')
        everything = not fields and not forms
        return [i for i in self.dictionary.by_name.values() if everything or i.name in fields or i.form in forms]

    def _shown(self, place: Place, wanted: set[str]) -> bool:
        if place[1]:
            return place[1] in wanted
        return not wanted or bool(wanted - self.dictionary.repeating)

    def _row(self, place: Place, chosen: list[Field], label: bool) -> Row:
        record, instrument, instance = place
        record_id = self.dictionary.record_id
        row: Row = {record_id: record} if any(item.name == record_id for item in chosen) else {}
        if self.dictionary.repeating:
            row |= {"redcap_repeat_instrument": instrument, "redcap_repeat_instance": instance or ""}
        for item in chosen:
            here = instrument == (item.form if item.form in self.dictionary.repeating else "")
            for column in item.columns:
                if column != record_id:
                    row[column] = _shown(item, self.values[place].get(column, ""), label) if here else ""
        return row


def _shown(item: Field, value: str, label: bool) -> str:
    """Value of a field on its own row: an untouched checkbox is 0, an untouched instrument incomplete."""
    if item.kind == "checkbox":
        return ("Checked" if value == "1" else "Unchecked") if label else value or "0"
    if item.name == f"{item.form}_complete":
        value = value or "0"
    return item.choices.get(value, value) if label else value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _line(record: str, name: str, value: str, reason: str) -> str:
    """One line of REDCap's report on an import: CSV with every column in quotes."""
    return ",".join('"' + text.replace('"', '""') + '"' for text in (record, name, value, reason))
