"""What a sandbox project has stored, and its export as flat rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airlock.redcap.sandbox.dictionary import Dictionary, Field
from airlock.redcap.sandbox.places import EVENT_COLUMN, REPEAT_COLUMNS, BadRequest, Place, Row
from airlock.workspace import write_atomically


@dataclass
class Stored:
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
            for record, *where, values in json.loads(self.state.read_text("utf-8")):
                # A state of before there were events has none.
                self.values[Place(record, *where) if len(where) == 3 else Place(record, "", *where)] = values

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

    def delete(self, records: Sequence[str], instrument: str, instance: int | None, event: str = "") -> int:
        """Delete records, or one event, instrument or repeat instance of them. Return how many records that were."""
        known = {place.record for place in self.values}
        if missing := [record for record in records if record not in known]:
            raise BadRequest(f"One or more of the records provided do not exist: {', '.join(missing)}")
        if event not in ("", *self.dictionary.events.events):
            raise BadRequest('The value of the parameter "event" is not valid')
        for place in list(self.values):
            here = event in ("", place.event) and instrument in ("", place.instrument)
            if place.record in records and here and instance in (None, place.instance):
                del self.values[place]
        self.save()
        return len(set(records))

    def _is_here(self, item: Field, place: Place) -> bool:
        """Whether a field has its value at a place."""
        events = self.dictionary.events
        own = item.form if events.repeats(place.event, item.form) else ""
        return item.form in events.forms[place.event] and place.instrument == own

    @property
    def _place_columns(self) -> list[str]:
        """Columns that say where a row belongs, besides the record id."""
        events = self.dictionary.events
        return [*([EVENT_COLUMN] if events.longitudinal else []), *(REPEAT_COLUMNS if events.repeating else [])]

    def rows(
        self,
        records: Sequence[str] = (),
        fields: Sequence[str] = (),
        forms: Sequence[str] = (),
        events: Sequence[str] = (),
        label: bool = False,
    ) -> list[Row]:
        """Return flat rows: of each record its events, of each first itself, then its repeat instances.

        :param fields: field names; with `forms` all empty, every field.
        :param events: unique event names; empty, every event.
        :param label: labels instead of codes.
        :raises BadRequest: naming fields, instruments or events that do not exist.
        """
        chosen = self._chosen(fields, forms)
        if self.dictionary.events.longitudinal:
            _check_listed("events", events, self.dictionary.events.events)
        wanted = {item.form for item in chosen if item.name != self.dictionary.record_id}
        form_order = {form: index for index, form in enumerate(["", *self.dictionary.forms])}
        order = {event: index for index, event in enumerate(self.dictionary.events.order)}
        places = sorted(self.values, key=lambda p: (p.record, order[p.event], form_order[p.instrument], p.instance))
        return [
            self._row(place, chosen, label)
            for place in places
            if (not records or place.record in records)
            and (not events or place.event in events or not self.dictionary.events.longitudinal)
            and self._shown(place, wanted)
        ]

    def _chosen(self, fields: Sequence[str], forms: Sequence[str]) -> list[Field]:
        _check_listed("fields", fields, self.dictionary.by_name)
        _check_listed("forms", forms, self.dictionary.forms)
        everything = not fields and not forms
        return [i for i in self.dictionary.by_name.values() if everything or i.name in fields or i.form in forms]

    def _shown(self, place: Place, wanted: set[str]) -> bool:
        """Whether a row has one of the instruments that are wanted; none wanted is the record id alone."""
        events = self.dictionary.events
        if place.instrument:
            return place.instrument in wanted
        here = {form for form in events.forms[place.event] if not events.repeats(place.event, form)}
        return not wanted or bool(wanted & here)

    def _row(self, place: Place, chosen: list[Field], label: bool) -> Row:
        record_id, events = self.dictionary.record_id, self.dictionary.events
        row: Row = {record_id: place.record} if any(item.name == record_id for item in chosen) else {}
        if events.longitudinal:
            row[EVENT_COLUMN] = events.label(place.event) if label else place.event
        if events.repeating:
            row |= {"redcap_repeat_instrument": place.instrument, "redcap_repeat_instance": place.instance or ""}
        for item in chosen:
            here = self._is_here(item, place)
            for column in item.columns:
                if column != record_id:
                    row[column] = _shown(item, self.values[place].get(column, ""), label) if here else ""
        return row


def _check_listed(parameter: str, names: Sequence[str], known: Collection[str]) -> None:
    if unknown := [name for name in names if name not in known]:
        listed = ", ".join(f"'{name}'" for name in unknown)
        raise BadRequest(f'The following values in the parameter "{parameter}" are not valid: {listed}')


def _shown(item: Field, value: str, label: bool) -> str:
    """Value of a field on its own row: an untouched checkbox is 0, an untouched instrument incomplete."""
    if item.kind == "checkbox":
        return ("Checked" if value == "1" else "Unchecked") if label else value or "0"
    if item.name == f"{item.form}_complete":
        value = value or "0"
    return item.choices.get(value, value) if label else value
