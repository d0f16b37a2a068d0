"""Make the shipped profile files from the standard's tables: `python -m airlock.deid.build_profile --help`.

The files below `profiles/` are read by the program, this tool documents where they come from. It is run when a new
edition of the standard is taken up.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path

import click
from pydicom.datadict import dictionary_VR, tag_for_keyword

from airlock.deid.terms import OPTIONS

OLDER = "2024b"
STRICTNESS = ("1", "1C", "2", "2C")
# Attributes of these VRs may be acted on even when table E.1-1 does not list them.
ACTED_ON = frozenset(("PN", "DA", "DT", "TM", "LO", "SH", "ST", "LT", "UT", "UC", "CS", "DS", "IS"))


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a table, packed or not."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def _options(row: dict[str, str]) -> dict[str, str]:
    return {option: row[option] for option in OPTIONS if row.get(option)}


def profile_document(attributes: Path, content: Path, edition: str) -> dict[str, object]:
    """Return the profile: one row per attribute of table E.1-1, one per content item of table E.3.4-1.

    The table of 2024b is that of 2026d without the 36 attributes that came after it, and without the one option that
    did: Clean Descriptors for RequestingService. Its content items are those of 2026d.
    """
    attribute_rows = read_rows(attributes)
    if edition == OLDER:
        attribute_rows = [row for row in attribute_rows if row["new_since_2024b"] == "0"]
        for row in attribute_rows:
            if row["keyword"] == "RequestingService":
                row["clean_descriptors"] = ""
    return {
        "edition": edition,
        "source": f"DICOM PS3.15 {edition} Table E.1-1",
        "attribute_columns": ["tag", "keyword", "name", "vr", "basic action", "actions by option"],
        "attributes": [
            [row["tag"], row["keyword"], row["name"], row["vr"], row["basic"], _options(row)] for row in attribute_rows
        ],
        "content_source": f"DICOM PS3.15 {edition} Table E.3.4-1",
        "content_columns": ["scheme", "code", "value type", "meaning", "basic action", "actions by option"],
        "content": [
            [row["scheme"], row["code"], row["value_type"], row["meaning"], row["basic"], _options(row)]
            for row in read_rows(content)
        ],
    }


def _acted_on(keyword: str) -> bool:
    tag = tag_for_keyword(keyword)
    return tag is not None and dictionary_VR(tag) in ACTED_ON


def _module_types(rows: Iterable[dict[str, str]], listed: set[str]) -> dict[str, dict[str, dict[str, str]]]:
    modules: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if row["type"] not in STRICTNESS or not (row["keyword"] in listed or _acted_on(row["keyword"])):
            continue
        parent = row["path"].rsplit(">", 1)[-1]
        attributes = modules.setdefault(row["module"], {}).setdefault(parent, {})
        known = attributes.get(row["keyword"], "2C")
        attributes[row["keyword"]] = min(known, row["type"], key=STRICTNESS.index)
    return modules


def _joined(attributes: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Group keywords by type: `{parent: {type: "keyword keyword"}}`."""
    return {
        parent: {kind: " ".join(sorted(k for k, t in types.items() if t == kind)) for kind in sorted({*types.values()})}
        for parent, types in sorted(attributes.items())
    }


def types_document(profile: dict[str, object], sop_classes: Path, modules: Path, attributes: Path) -> dict[str, object]:
    """Return the attribute types (PS3.3) that are stricter than 3, by IOD module and enclosing sequence.

    Only attributes that de-identification may act on are in it.
    """
    edition, rows = profile["edition"], profile["attributes"]
    assert isinstance(rows, list)
    by_module = _module_types(read_rows(attributes), {row[1] for row in rows})
    by_iod: dict[str, list[str]] = {}
    for row in read_rows(modules):
        if row["module"] in by_module:
            by_iod.setdefault(row["iod"], []).append(row["module"])
    iods = {row["sop_class_uid"]: row["iod"] for row in read_rows(sop_classes)}
    used = {module for iod in iods.values() for module in by_iod.get(iod, [])}
    return {
        "source": f"DICOM PS3.3 and PS3.4 {edition}: types 1, 1C, 2 and 2C by module and innermost enclosing sequence",
        "sop_classes": iods,
        "iods": {iod: sorted(set(names)) for iod, names in by_iod.items() if iod in iods.values()},
        "modules": {name: _joined(types) for name, types in sorted(by_module.items()) if name in used},
    }


def write_document(path: Path, document: dict[str, object]) -> None:
    """Write a document with one line per row, so that a new edition reads as a difference."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], list):
            lines.append(f'"{key}": [\n' + ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) + "\n]")
        elif isinstance(value, dict):
            rows = [f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in value.items()]
            lines.append(f'"{key}": {{\n' + ",\n".join(rows) + "\n}")
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


@click.command(context_settings={"show_default": True})
@click.option("--attributes", type=click.Path(exists=True, path_type=Path), required=True, help="Table E.1-1 as CSV.")
@click.option("--content", type=click.Path(exists=True, path_type=Path), required=True, help="Table E.3.4-1 as CSV.")
@click.option("--sop-classes", type=click.Path(exists=True, path_type=Path), required=True, help="SOP class to IOD.")
@click.option("--modules", type=click.Path(exists=True, path_type=Path), required=True, help="IOD to modules.")
@click.option("--types", type=click.Path(exists=True, path_type=Path), required=True, help="Module to attributes.")
@click.option("--edition", default="2026d", help="Edition of the standard that the tables are from.")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
def main(
    attributes: Path, content: Path, sop_classes: Path, modules: Path, types: Path, edition: str, folder: Path
) -> None:
    """Write the profile files into FOLDER."""
    profile = profile_document(attributes, content, edition)
    write_document(folder / f"ps315_{edition}.json", profile)
    if edition == OLDER:
        return
    write_document(folder / "iod_types.json", types_document(profile, sop_classes, modules, types))


if __name__ == "__main__":
    main()
