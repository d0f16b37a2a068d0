"""Read recipes of pydicom's `deid` into the location library.

`LABEL` begins a location, conditions are joined by `+` (and) and `||` (or); places are `coordinates x0,y0,x1,y1`,
`ctpcoordinates left,top,width,height`, `coordinates all`, `keepcoordinates from:SequenceOfUltrasoundRegions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pydicom import Dataset

from airlock.pixels.locations import Condition, Location, LocationError, check_pattern, tag_of, values_of

_DEID = re.compile(r"(\+|\|\|)?\s*(\w+)\s+(\w+)\s*(.*)")


def parse_deid(text: str) -> list[Location]:
    """Return the locations of a `deid` recipe: labels with coordinates, in any filter.

    Labels without coordinates only flag; Airlock examines every picture anyway, so that they add nothing.

    :raises LocationError: at the first line that is not understood.
    """
    found: list[Location] = []
    current: _Recipe | None = None
    section = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        if not line or line.upper() == "FORMAT DICOM":
            continue
        if line.startswith("%"):
            section = line[1:].split()[0].lower() if line[1:].split() else ""
            if section != "filter":
                raise LocationError(number, "only %filter sections belong into the location library")
        elif line.upper().startswith("LABEL"):
            found += current.locations() if current else []
            current = _Recipe(line[5:].strip() or f"line {number}")
        elif current is None or section != "filter":
            raise LocationError(number, "a condition before the first LABEL of a %filter section")
        else:
            current.add(number, line)
    return found + (current.locations() if current else [])


class _Recipe:
    """One label: alternatives of conditions that all hold, and coordinates."""

    def __init__(self, label: str) -> None:
        self._alternatives: list[list[Condition]] = [[]]
        self._place = Location(label, self._matches)

    def add(self, number: int, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word.endswith("coordinates"):
            self._place = _with_coordinates(self._place, number, word, rest.strip())
            return
        for part in _split_conditions(line):
            self._condition(number, part)

    def _condition(self, number: int, line: str) -> None:
        parsed = _DEID.fullmatch(line)
        if not parsed:
            raise LocationError(number, "not understood; a condition is like: contains Modality US")
        operator, test, name, wanted = parsed.groups()
        tag = tag_of(name)
        if tag is None:
            raise LocationError(number, f"unknown element {name}")
        if test not in _DEID_TESTS:
            raise LocationError(number, f"unknown condition {test}; known are {', '.join(_DEID_TESTS)}")
        if operator == "||" and self._alternatives[-1]:
            self._alternatives.append([])
        elif operator is None and self._alternatives[-1]:
            raise LocationError(number, "conditions are joined by + (and) or || (or)")
        if test in ("contains", "notcontains"):
            check_pattern(wanted.lower(), lambda reason: LocationError(number, reason))
        check = _DEID_TESTS[test]
        self._alternatives[-1].append(lambda header: check(values_of(header, tag), wanted.strip().lower()))

    def _matches(self, header: Dataset) -> bool:
        return any(conditions and all(c(header) for c in conditions) for conditions in self._alternatives)

    def locations(self) -> list[Location]:
        place = self._place
        return [place] if place.boxes or place.everything or place.outside_regions else []


def _split_conditions(line: str) -> list[str]:
    return [part.strip() for part in re.split(r"\s(?=(?:\+|\|\|)\s)", line)]


def _with_coordinates(place: Location, number: int, word: str, rest: str) -> Location:
    if rest.lower() == "from:sequenceofultrasoundregions":
        if word == "keepcoordinates":
            return replace(place, outside_regions=True)
        raise LocationError(
            number, "regions of ultrasound are image: write keepcoordinates from:SequenceOfUltrasoundRegions"
        )
    if rest.lower() == "all" and word in ("coordinates", "ctpcoordinates"):
        return replace(place, everything=True)
    numbers = re.fullmatch(r"(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)", rest)
    if not numbers or word not in ("coordinates", "ctpcoordinates"):
        raise LocationError(number, f"{word} {rest} is not understood; write coordinates x0,y0,x1,y1")
    a, b, c, d = map(int, numbers.groups())
    box = (a, b, c, d) if word == "coordinates" else (a, b, a + c, b + d)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise LocationError(number, "the rectangle has no extent")
    return replace(place, boxes=(*place.boxes, box))


_DEID_TESTS: dict[str, Callable[[list[str], str], bool]] = {
    "contains": lambda values, wanted: any(re.search(wanted, v.lower()) for v in values),
    "notcontains": lambda values, wanted: not any(re.search(wanted, v.lower()) for v in values),
    "equals": lambda values, wanted: any(v.strip().lower() == wanted for v in values),
    "notequals": lambda values, wanted: not any(v.strip().lower() == wanted for v in values),
    "missing": lambda values, _wanted: not values,
    "present": lambda values, _wanted: bool(values),
    "empty": lambda values, _wanted: not any(v.strip() for v in values),
}
