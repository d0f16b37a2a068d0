"""Read CTP's pixel scripts into the location library.

Free text is a title; a signature in braces holds tests joined by `*` (and), `+` (or) and `!` (not); rectangles `(left,
top, width, height)` follow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from airlock.findings import Box
from airlock.pixels.locations import Condition, Location, LocationError, check_pattern, tag_of, values_of

CTP_TESTS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "equalsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "contains": lambda value, wanted: wanted in value,
    "containsIgnoreCase": lambda value, wanted: wanted.lower() in value.lower(),
    "startsWith": lambda value, wanted: value.startswith(wanted),
    "startsWithIgnoreCase": lambda value, wanted: value.lower().startswith(wanted.lower()),
    "endsWith": lambda value, wanted: value.endswith(wanted),
    "endsWithIgnoreCase": lambda value, wanted: value.lower().endswith(wanted.lower()),
    "matches": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "isLessThan": lambda value, wanted: _number(value) < _number(wanted),
    "isGreaterThan": lambda value, wanted: _number(value) > _number(wanted),
}
_TEST = re.compile(r'\s*(\w+|\[?\(?[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)?\]?)\.(\w+)\(\s*"([^"]*)"\s*\)')
_REGION = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")  # smaller and greater than nothing


def parse_ctp(text: str) -> Iterator[Location]:
    """Yield the locations of a CTP pixel script.

    :raises LocationError: at the first thing that is not understood.
    """
    position = 0
    while (start := text.find("{", position)) >= 0:
        end = text.find("}", start)
        line = text.count("\n", 0, start) + 1
        if end < 0:
            raise LocationError(line, "the signature has no closing brace")
        title = text[position:start].strip().splitlines()
        condition = _Signature(text, start + 1, end).parse()
        position = end + 1
        boxes: list[Box] = []
        while region := re.compile(r"\s*" + _REGION.pattern).match(text, position):
            left, top, width, height = map(int, region.groups())
            boxes.append((left, top, left + width, top + height))
            position = region.end()
        if not boxes:
            raise LocationError(line, "no rectangle (left, top, width, height) follows the signature")
        yield Location(title[-1].strip() if title else f"line {line}", condition, tuple(boxes))
    rest = text[position:]
    if "}" in rest or _REGION.search(rest):
        raise LocationError(text.count("\n", 0, position) + 1, "a rectangle or a brace without a signature")


class _Signature:
    """Parses an expression of a CTP script: or of ands of tests."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._at, self._end = text, start, end

    def parse(self) -> Condition:
        condition = self._either()
        if self._peek():
            raise self._error("an operator (*, +) is missing")
        return condition

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._take("+"):
            parts.append(self._both())
        return lambda header: any(part(header) for part in parts)

    def _both(self) -> Condition:
        parts = [self._single()]
        while self._take("*"):
            parts.append(self._single())
        return lambda header: all(part(header) for part in parts)

    def _single(self) -> Condition:
        if self._take("!"):
            inverted = self._single()
            return lambda header: not inverted(header)
        if self._text[self._at : self._end].lstrip().startswith("(") and not self._test():
            self._take("(")
            inner = self._either()
            if not self._take(")"):
                raise self._error("a closing bracket is missing")
            return inner
        test = self._test()
        if not test:
            raise self._error('a test is expected, like Modality.equals("US")')
        self._at = test.end()
        return _ctp_condition(test, self._error)

    def _test(self) -> re.Match[str] | None:
        return _TEST.match(self._text, self._at, self._end)

    def _peek(self) -> str:
        return self._text[self._at : self._end].strip()[:1]

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at = self._text.index(sign, self._at) + 1
        return True

    def _error(self, reason: str) -> LocationError:
        return LocationError(self._text.count("\n", 0, self._at) + 1, reason)


def _ctp_condition(test: re.Match[str], error: Callable[[str], LocationError]) -> Condition:
    name, method, wanted = test.groups()
    tag = tag_of(name)
    if tag is None:
        raise error(f"unknown element {name}")
    if method not in CTP_TESTS:
        raise error(f"unknown test {method}; known are {', '.join(CTP_TESTS)}")
    if method == "matches":
        check_pattern(wanted, error)
    compare = CTP_TESTS[method]
    # CTP compares the whole element as text; an absent one is the empty text.
    return lambda header: compare("\\".join(values_of(header, tag)), wanted)
