"""Files of CTP anonymizer scripts: the XML spelling and the properties spelling, read into the same lines.

XML: `<script>` with `<p t>` parameters, `<e en t n>` elements, `<k en t>` groups to keep and `<r en t>` groups to
remove; `en` is `T` or `F`, and document types are refused, so that no entity is ever expanded. Properties:
`param.NAME=`, `set.[gggg,eeee]Name=`, `keep.groupgggg=`, `keep.safeprivateelements=`, `remove.privategroups=`; a `#`
before `set`, `keep` or `remove` is `en="F"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from airlock.errors import PolicyError

Kind = Literal["p", "e", "k", "r"]

_PROPERTY = re.compile(r"(?P<off>#?)\s*(?P<kind>param|set|keep|remove)\.(?P<name>.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_KINDS: dict[str, Kind] = {"param": "p", "set": "e", "keep": "k", "remove": "r"}


@dataclass(frozen=True)
class Line:
    """A line of a script.

    :param enabled: False when it is switched off.
    :param target: name of a parameter, an element as the script spells it, or a group.
    """

    number: int
    kind: Kind
    enabled: bool
    target: str
    text: str


def read_xml(text: str) -> list[Line]:
    """Read the XML spelling.

    :raises PolicyError: when it is not XML, declares a document type, or holds an element that no script has.
    """
    reader = _Xml()
    try:
        reader.parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise PolicyError(f"line {error.lineno}: not XML: {expat.errors.messages[error.code]}") from None
    return reader.lines


class _Xml:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._open: tuple[int, str, dict[str, str]] | None = None
        self._text = ""
        self._depth = 0

    def _doctype(self, *_: object) -> None:
        raise PolicyError(f"line {self.parser.CurrentLineNumber}: a script needs no document type. Remove it.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        self._depth += 1
        if self._depth == 1 and name == "script":
            return
        if self._depth != 2 or name not in ("p", "e", "k", "r"):
            raise PolicyError(f"line {line}: <{name}> is no part of an anonymizer script.")
        self._open, self._text = (line, name, attributes), ""

    def _data(self, data: str) -> None:
        if self._open is not None:
            self._text += data
        elif data.strip():
            raise PolicyError(f"line {self.parser.CurrentLineNumber}: text outside of all elements.")

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._open is None:
            return
        number, kind, attributes = self._open
        self._open = None
        enabled = kind == "p" or attributes.get("en", "F") == "T"
        known: Kind = next(k for k in _KINDS.values() if k == kind)
        self.lines.append(Line(number, known, enabled, attributes.get("t", "").strip(), self._text.strip()))


def read_properties(text: str) -> list[Line]:
    """Read the properties spelling.

    :raises PolicyError: when a line is neither a comment nor a part of a script.
    """
    return [line for number, logical in _logical_lines(text) if (line := _property(number, logical)) is not None]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join lines that end in an odd number of backslashes (java.util.Properties)."""
    joined, start = "", 0
    for number, physical in enumerate(text.splitlines(), 1):
        start, current = start or number, physical.lstrip() if joined else physical.strip()
        continued = (len(current) - len(current.rstrip("\\"))) % 2 and not current.startswith("#")
        joined += current[:-1] if continued else current
        if not continued:
            yield start, joined
            joined, start = "", 0
    if joined:
        yield start, joined


def _property(number: int, logical: str) -> Line | None:
    key, value = _split(logical)
    found = _PROPERTY.fullmatch(key)
    if found is None:
        if not logical.strip() or logical.lstrip()[:1] in ("#", "!"):
            return None
        raise PolicyError(f"line {number}: no part of an anonymizer script; param., set., keep. or remove. begins one.")
    kind, name = _KINDS[found["kind"]], found["name"].strip()
    if kind == "p" and found["off"]:
        return None
    if kind == "e":
        name = _element(name)
    return Line(number, kind, not found["off"], name.removeprefix("group"), value)


def _split(logical: str) -> tuple[str, str]:
    """Split at the first `=` outside of brackets. Colons and blanks belong to the names of elements."""
    depth = 0
    for position, character in enumerate(logical):
        depth += (character == "[") - (character == "]")
        if character == "=" and depth <= 0:
            return _unescaped(logical[:position]).strip(), _unescaped(logical[position + 1 :]).strip()
    return logical.strip(), ""


def _unescaped(text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code[1:], 16)) if len(code) > 1 else _CONTROL.get(code, code)

    return _ESCAPE.sub(replaced, text)


def _element(name: str) -> str:
    """Return what stands in the outer brackets of `[gggg,eeee]Name`."""
    depth = 0
    for position, character in enumerate(name):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return name[1:position].replace(",", "", 1) if position else name
    return name
