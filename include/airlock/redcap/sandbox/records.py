"""Records of a sandbox project: import of flat rows, with REDCap's rules and REDCap's words for errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airlock.redcap.sandbox.dictionary import Field
from airlock.redcap.sandbox.places import NEXT, BadRequest, Place, Row, check_events, line_of, place_of, text_of
from airlock.redcap.sandbox.stored import Stored


@dataclass(frozen=True)
class Imported:
    """What an import did.

    :param ids: the records it touched, in order.
    :param numbered: new record id and the id it was sent with, when REDCap numbered the records.
    """

    ids: list[str]
    numbered: list[tuple[str, str]]


class Records(Stored):
    """What is stored, and how rows are put there."""

    def load(self, rows: list[Row], *, overwrite: bool, number: bool = False) -> Imported:
        """Store rows: all, or none when one is wrong.

        :param overwrite: a blank clears the stored value, instead of being ignored.
        :param number: give every record of the rows a new record id.
        :raises BadRequest: with REDCap's report, one line per wrong value.
        """
        self._check_columns(rows)
        renamed: dict[str, str] = {}
        for row in rows if number else ():
            sent = text_of(row[self.dictionary.record_id])
            renamed.setdefault(sent, str(self.next_name() + len(renamed)))
        problems: list[str] = []
        ids = [text_of(row[self.dictionary.record_id]) for row in rows]
        pending = [
            place_of(self.dictionary, row, renamed.get(sent, sent), problems)
            for row, sent in zip(rows, ids, strict=True)
        ]
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
        known = {*self.dictionary.by_column, *self._place_columns}
        if unknown := list(dict.fromkeys(name for row in rows for name in row if name not in known)):
            raise BadRequest(
                f"The following fields were not found in the project as real data fields: {', '.join(unknown)}"
            )
        if any(not text_of(row.get(record_id)).strip() for row in rows):
            raise BadRequest(f"The record identifier field ({record_id}) must have a value in every row.")
        check_events(self.dictionary, rows)

    def _problems(self, row: Row, place: Place) -> Iterator[str]:
        for name, value in self._data(row):
            if reason := self._problem(name, value, place):
                yield line_of(place.record, name, value, reason)

    def _problem(self, name: str, value: str, place: Place) -> str:
        """Return what REDCap says against a value; empty when it may be stored."""
        if place.record in self.locked:
            return "This field is located on a form that is locked. You must first unlock this form."
        if not value:
            return ""
        item, events = self.dictionary.by_column[name], self.dictionary.events
        if reason := _refused(item, name, value):
            return reason
        if item.form not in events.forms[place.event]:
            return (
                f"This field ('{name}') exists on an instrument that is not designated for the event named "
                f"'{events.title(place.event)}'. You are not allowed to import data for this field into this event."
            )
        elsewhere = (
            "The field is not on the instrument of this row (see redcap_repeat_instrument), so it must be blank."
        )
        return "" if self._is_here(item, place) else elsewhere

    def _numbered(self, place: Place) -> Place:
        if place.instance != NEXT:
            return place
        taken = (other.instance for other in self.values if other[:3] == place[:3])
        return place._replace(instance=max(taken, default=0) + 1)

    def _store(self, row: Row, place: Place, overwrite: bool) -> None:
        if not self.dictionary.events.longitudinal:
            self.values.setdefault(Place(place.record), {})
        stored = self.values.setdefault(place, {})
        for name, value in self._data(row):
            if value:
                stored[name] = value
            elif overwrite:
                stored.pop(name, None)

    def _data(self, row: Row) -> Iterator[tuple[str, str]]:
        for name, value in row.items():
            if name not in (self.dictionary.record_id, *self._place_columns):
                yield name, text_of(value)


def _refused(item: Field, name: str, value: str) -> str:
    """Return what REDCap says against a value of a field wherever it belongs."""
    if item.kind == "file":
        return "This is a file field, which cannot be imported as a value."
    if item.accepts(value):
        return ""
    if item.choices:
        return f"The value is not a valid category for {name}"
    reason = "could not be validated because it does not follow the expected format. Please try again."
    return f"The value you provided {reason}"
