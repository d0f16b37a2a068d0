"""The first sheet of an Excel workbook as rows of text (ECMA-376 part 1, sections 12 and 18).

Only values are read. A document type, which an attack with entities needs and no workbook has, is refused, and what
is unpacked is bounded.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from airlock.identity.mappings import UnreadableMappings

_LARGEST_PART = 512 << 20
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DAMAGED = "The workbook is damaged or is not one (.xlsx). Open it, save it again as .xlsx, and import that."


class _Builder(TreeBuilder):
    """Builds a tree, of a document that has no document type."""

    def doctype(self, *_: str | None) -> None:
        raise UnreadableMappings("The workbook declares entities, which no program for tables does. It is not read.")


def read_rows(path: Path) -> Iterator[list[str]]:
    """Yield the rows of the first sheet; a cell that is missing or empty is "".

    :raises UnreadableMappings: when it is not a workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            strings = _shared_strings(archive)
            sheet = _parse(archive, _first_sheet(archive))
    except (zipfile.BadZipFile, KeyError, ParseError, NotImplementedError, RuntimeError, EOFError):
        raise UnreadableMappings(_DAMAGED) from None
    for row in sheet.iter(f"{_MAIN}row"):
        cells: list[str] = []
        for cell in row.iter(f"{_MAIN}c"):
            column = _column(cell.get("r", ""), len(cells))
            cells += [""] * (column - len(cells))
            cells.append(_value(cell, strings))
        yield cells


def _parse(archive: zipfile.ZipFile, name: str) -> Element:
    if archive.getinfo(name).file_size > _LARGEST_PART:
        raise UnreadableMappings("The workbook is larger than 512 MiB when unpacked. Split it.")
    parser = XMLParser(target=_Builder())  # noqa: S314 - the builder refuses document types
    with archive.open(name) as stream:
        while block := stream.read(1 << 20):
            parser.feed(block)
    root: Element = parser.close()
    return root


def _first_sheet(archive: zipfile.ZipFile) -> str:
    sheet = _parse(archive, "xl/workbook.xml").find(f"{_MAIN}sheets/{_MAIN}sheet")
    relations = _parse(archive, "xl/_rels/workbook.xml.rels")
    for relation in relations:
        if sheet is not None and relation.get("Id") == sheet.get(_RELATION):
            return posixpath.normpath(posixpath.join("/xl", relation.get("Target", ""))).lstrip("/")
    raise UnreadableMappings(_DAMAGED)


def _shared_strings(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    return [_text(item) for item in _parse(archive, "xl/sharedStrings.xml").findall(f"{_MAIN}si")]


def _text(item: Element) -> str:
    """Join plain and rich text; phonetic hints (`rPh`) are no part of the value."""
    runs = [item.find(f"{_MAIN}t"), *(run.find(f"{_MAIN}t") for run in item.findall(f"{_MAIN}r"))]
    return "".join(run.text or "" for run in runs if run is not None)


def _column(reference: str, following: int) -> int:
    """Return the number of a cell's column from 0; cells without a reference follow each other."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    number = 0
    for letter in letters[0]:
        number = number * 26 + ord(letter) - 64
    return max(number - 1, following)


def _value(cell: Element, strings: list[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        item = cell.find(f"{_MAIN}is")
        return "" if item is None else _text(item)
    value = cell.findtext(f"{_MAIN}v", "")
    if kind == "s":
        try:
            return strings[int(value)]
        except (ValueError, IndexError):
            raise UnreadableMappings(_DAMAGED) from None
    # A whole number may be written as 42.0 or 4.2E1.
    if kind == "n" and re.fullmatch(r"-?[0-9]+\.0*|-?[0-9.]+E\+?[0-9]{1,2}", value) and float(value).is_integer():
        return str(int(float(value)))
    return value
