"""Where a row of a sandbox project belongs: record, event, repeating instrument, repeat instance."""

from __future__ import annotations

from typing import Any, NamedTuple

from airlock.redcap.sandbox.dictionary import Dictionary
from airlock.redcap.sandbox.events import CLASSIC, WHOLE

Row = dict[str, Any]
EVENT_COLUMN = "redcap_event_name"
REPEAT_COLUMNS = ("redcap_repeat_instrument", "redcap_repeat_instance")
NEXT = -1
"""In place of an instance: the one after the last."""
MOST = 32767


class BadRequest(Exception):
    """REDCap answers 400 with this text."""


class Place(NamedTuple):
    """Where values are kept.

    :param event: unique event name; empty in a classic project.
    :param instrument: that repeats by itself; else empty.
    :param instance: from 1 where something repeats, else 0.
    """

    record: str
    event: str = CLASSIC
    instrument: str = WHOLE
    instance: int = 0


def check_events(dictionary: Dictionary, rows: list[Row]) -> None:
    """Check the events that rows name.

    :raises BadRequest: naming those that the project does not have.
    """
    named = dict.fromkeys(text_of(row.get(EVENT_COLUMN)) for row in rows if text_of(row.get(EVENT_COLUMN)))
    if unknown := [name for name in named if name not in dictionary.events.events]:
        raise BadRequest(f"The following values of {EVENT_COLUMN} are invalid: {', '.join(unknown)}")


def place_of(dictionary: Dictionary, row: Row, record: str, problems: list[str]) -> Place:
    """Return where a row belongs. One without an event belongs to the first.

    :param record: its record id, as it will be stored.
    :param problems: lines of REDCap's report on the import, to which this row's are added.
    """
    events = dictionary.events
    event = text_of(row.get(EVENT_COLUMN)) or events.order[0]
    instrument, instance = (text_of(row.get(name)) for name in REPEAT_COLUMNS)
    if not instrument and events.repeats_whole(event):
        return Place(record, event, WHOLE, _instance(record, instance or "1", problems))
    if not instrument:
        if instance:
            problems.append(line_of(record, REPEAT_COLUMNS[1], instance, "cannot have a value without an instrument."))
        return Place(record, event)
    if not events.repeats(event, instrument):
        reason = "redcap_repeat_instrument must be the unique form name of a Repeating Instrument."
        problems.append(line_of(record, REPEAT_COLUMNS[0], instrument, reason))
    return Place(record, event, instrument, _instance(record, instance, problems))


def _instance(record: str, instance: str, problems: list[str]) -> int:
    if instance == "new":
        return NEXT
    if not instance.isdecimal() or not 1 <= int(instance) <= MOST:
        reason = f"redcap_repeat_instance must be a whole number from 1 to {MOST}, or new."
        problems.append(line_of(record, REPEAT_COLUMNS[1], instance, reason))
        return 0
    return int(instance)


def text_of(value: Any) -> str:
    """Return a value as REDCap stores it."""
    return "" if value is None else str(value)


def line_of(record: str, name: str, value: str, reason: str) -> str:
    """Return one line of REDCap's report on an import: CSV with every column in quotes."""
    return ",".join('"' + text.replace('"', '""') + '"' for text in (record, name, value, reason))
