"""Events of a sandbox project: its arms, which instruments an event has, and what of them repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CLASSIC = ""
"""The one event of a project that is not longitudinal. It has no name, and every instrument."""
ONE_ARM = [{"arm_num": 1, "name": "Arm 1"}]
WHOLE = ""
"""In place of an instrument's name: the event repeats as a whole."""


@dataclass(frozen=True)
class Event:
    """One event.

    :param unique: its unique event name, such as `baseline_arm_1`, which rows have as `redcap_event_name`.
    """

    unique: str
    name: str
    arm: int
    day: int
    number: int


@dataclass(frozen=True)
class Events:
    """The events of a project; one without a name when it is classic.

    :param arms: names by number.
    :param events: by unique event name, in order.
    :param forms: the instruments of each event, in order.
    :param repeating: pairs of event and instrument, or :data:`WHOLE`.
    """

    arms: Mapping[int, str]
    events: Mapping[str, Event]
    forms: Mapping[str, tuple[str, ...]]
    repeating: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, document: Mapping[str, Any], forms: list[str]) -> Events:
        """Read what a dictionary file says of events.

        :param document: `repeating` is a list of instruments. A longitudinal project has `arms`, `events` and
            `mappings` as REDCap's exports of them, and in `repeating` objects of `event_name` (unique) and `form_name`.
        :raises ValueError: when it names an event, arm or instrument that does not exist.
        """
        rows = document.get("events")
        if not rows:
            repeating = frozenset((CLASSIC, str(form)) for form in document.get("repeating", ()))
            return cls({}, {}, {CLASSIC: tuple(forms)}, repeating)
        arms = {
            int(row["arm_num"]): str(row["name"]) for row in document.get("arms", [{"arm_num": 1, "name": "Arm 1"}])
        }
        events: dict[str, Event] = {}
        for number, row in enumerate(rows, start=1):
            arm, name = int(row.get("arm_num", 1)), str(row["event_name"])
            unique = str(row.get("unique_event_name") or _unique(name, arm))
            events[unique] = Event(unique, name, arm, int(row.get("day_offset", 0)), number)
        pairs = [(str(row["unique_event_name"]), str(row["form"])) for row in document["mappings"]]
        repeating = frozenset(
            (str(row["event_name"]), str(row.get("form_name", WHOLE))) for row in document.get("repeating", ())
        )
        known = {(event, form) for event in events for form in (*forms, WHOLE)}
        if not {*pairs, *repeating} <= known or not {event.arm for event in events.values()} <= arms.keys():
            raise ValueError("an event, arm or instrument that does not exist")
        designated = {event: tuple(form for form in forms if (event, form) in pairs) for event in events}
        return cls(arms, events, designated, repeating)

    @property
    def longitudinal(self) -> bool:
        """Whether rows have an event."""
        return bool(self.events)

    @property
    def order(self) -> list[str]:
        """Unique event names in the order in which exports have them."""
        return list(self.events) or [CLASSIC]

    def repeats(self, event: str, form: str) -> bool:
        """Whether an instrument repeats by itself on an event."""
        return (event, form) in self.repeating

    def repeats_whole(self, event: str) -> bool:
        """Whether an event repeats with all of its instruments."""
        return (event, WHOLE) in self.repeating

    def title(self, unique: str) -> str:
        """Return how people read an event: with its arm, as REDCap's messages and labels have it."""
        event = self.events[unique]
        return f"{event.name} (Arm {event.arm}: {self.arms[event.arm]})"

    def label(self, unique: str) -> str:
        """Return an event as exports with labels have it: with its arm where there are several."""
        return self.title(unique) if len(self.arms) > 1 else self.events[unique].name

    def event_rows(self, arms: Iterable[str]) -> list[dict[str, Any]]:
        """Return an export of events, of all arms or these."""
        return [
            {
                "event_name": event.name,
                "arm_num": event.arm,
                "unique_event_name": event.unique,
                "custom_event_label": "",
                "event_id": event.number,
                "days_offset": event.day,
            }
            for event in self.events.values()
            if _wanted(event.arm, arms)
        ]

    def arm_rows(self, arms: Iterable[str]) -> list[dict[str, Any]]:
        """Return an export of arms, of all or these."""
        return [
            {"arm_num": number, "name": name} for number, name in sorted(self.arms.items()) if _wanted(number, arms)
        ]

    def mapping_rows(self, arms: Iterable[str]) -> list[dict[str, Any]]:
        """Return an export of which event has which instrument."""
        return [
            {"arm_num": event.arm, "unique_event_name": event.unique, "form": form}
            for event in self.events.values()
            for form in self.forms[event.unique]
            if _wanted(event.arm, arms)
        ]

    def repeating_rows(self) -> list[dict[str, Any]]:
        """Return an export of what repeats; events have a column of their own in a longitudinal project."""
        rows = []
        for event in self.order:
            for form in (WHOLE, *self.forms[event]):
                if (event, form) in self.repeating:
                    named = {"event_name": event} if self.longitudinal else {}
                    rows.append({**named, "form_name": form, "custom_form_label": ""})
        return rows


def _wanted(arm: int, arms: Iterable[str]) -> bool:
    chosen = list(arms)
    return not chosen or str(arm) in chosen


def _unique(name: str, arm: int) -> str:
    """Return the unique name that REDCap gives an event: at most 18 letters of its name, and its arm."""
    short = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:18].strip("_")
    return f"{short}_arm_{arm}"
