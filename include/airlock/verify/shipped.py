"""Read the tables that come with the package, line by line: most of their lines are never asked for.

What is read is texts, and lists and dictionaries of texts. Importing what reads all of JSON takes longer than reading
all lines that a study needs.
"""

from __future__ import annotations

import os
from functools import lru_cache

from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any
from airlock.verify.text import entry

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROFILES = os.path.join(os.path.dirname(__file__), "..", "deid", "profiles")  # noqa: PTH118, PTH120 - see read_table


class Row(NamedTuple):
    """One attribute of table E.1-1, or content item of table E.3.4-1, of PS3.15.

    :param vr: of the attribute; where the table has none, that of PS3.6.
    :param basic: action of the Basic Profile, such as `X/Z/D`.
    :param options: action by option, `K` or `C`.
    """

    vr: bytes
    basic: str
    options: Mapping[str, str]


def read_table(name: str) -> bytes:
    """Return one of the shipped tables, by its name without `.json`."""
    # pathlib takes longer to import than this to read.
    with open(os.path.join(_PROFILES, f"{name}.json"), "rb") as file:  # noqa: PTH118, PTH123 - as the comment says
        return file.read()


class Rows:
    """The rows of the tables of PS3.15.

    :param edition: of PS3.15.
    """

    def __init__(self, edition: str) -> None:
        attributes, _, content = read_table(f"ps315_{edition}").partition(b'"content_source"')
        self._attributes = {line[2:10]: line for line in attributes.split(b"\n") if line.startswith(b'["')}
        self._content = {tuple(line.decode().split('"', 6)[1:6:2]): line for line in content.split(b"\n")}
        self._known: dict[int, Row | None] = {}

    def attribute(self, tag: int) -> Row | None:
        """Return the row of an attribute; None when it has none of its own."""
        if tag not in self._known:
            line = self._attributes.get(b"%08X" % tag)
            row = None if line is None else _row(line)
            self._known[tag] = row if row is None or row.vr else row._replace(vr=entry(tag)[0])
        return self._known[tag]

    def content(self, scheme: str, code: str, value_type: str) -> Row | None:
        """Return the row of a content item; None when it is not listed."""
        line = self._content.get((scheme, code, value_type))
        return None if line is None else _row(line)


@lru_cache(maxsize=4)
def rows_of(edition: str) -> Rows:
    """Return the rows of an edition's tables."""
    return Rows(edition)


def _row(line: bytes) -> Row:
    """Return what a line says: texts, of which the last are VR or meaning, and basic action; then action by option."""
    if b"\\" in line:
        *_, vr, basic, options = _loads(line)
        return Row(vr.encode(), basic, options)
    before, _, after = line.decode().rpartition("{")
    *_, vr, basic = before.split('"')[1::2]
    texts = after.split('"')[1::2]
    return Row(vr.encode(), basic, dict(zip(texts[::2], texts[1::2], strict=True)))


@lru_cache(maxsize=1)
def _types() -> dict[bytes, dict[bytes, bytes]]:
    """Return the lines of the table of types by their sections and their keys, as they are written."""
    sections: dict[bytes, dict[bytes, bytes]] = {}
    lines: dict[bytes, bytes] = {}
    for line in read_table("iod_types").split(b"\n"):
        key, _, rest = line.partition(b": ")
        if rest == b"{":
            lines = sections.setdefault(key, {})
        else:
            lines[key] = rest
    return sections


@lru_cache(maxsize=1024)
def types_entry(section: str, name: str) -> Any:
    """Return one entry of the table of types, None when there is none.

    :param section: `sop_classes` (a text for each), `iods` (a list), or `modules` (texts by two keys).
    """
    found = _types()[b'"%s"' % section.encode()].get(b'"%s"' % name.encode("utf-8", "replace"))
    if found is None:
        return None
    if b"\\" in found:
        return _loads(found)
    if found.startswith(b"{"):
        return _by_two_keys(found.decode())
    texts = found.decode().split('"')[1::2]
    return texts if found.startswith(b"[") else texts[0]


def _by_two_keys(line: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    inner: dict[str, str] = {}
    key = ""
    pieces = line.split('"')
    for text, behind in zip(pieces[1::2], pieces[2::2], strict=True):
        if "{" in behind and ":" in behind:
            inner = found.setdefault(text, {})
        elif ":" in behind:
            key = text
        else:
            inner[key] = text
    return found


def _loads(line: bytes) -> Any:
    import json  # noqa: PLC0415 - no shipped line needs it

    return json.loads(line.rstrip().removesuffix(b","))
