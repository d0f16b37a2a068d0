"""Tables with headings: the RSNA lookup CSV, the index workbook of its Java predecessor, and plain pairs.

The workbook's columns are known by their place, as its reader knows them; those of a CSV by their headings, which two
versions of the program spelled differently.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from airlock.identity.imports.xlsx import read_rows
from airlock.identity.mappings import Mappings, OldStudy, UnreadableMappings

INDEX_COLUMNS = (
    "ANON-PatientName",
    "ANON-PatientID",
    "PHI-PatientName",
    "PHI-PatientID",
    "DateOffset",
    "ANON-StudyDate",
    "PHI-StudyDate",
    "ANON-AccNo",
    "PHI-AccNo",
    "ANON-StudyUID",
    "PHI-StudyUID",
)
LOOKUP_COLUMNS = (
    "ANON-PatientID",
    "ANON-PatientName",
    "PHI-PatientName",
    "PHI-PatientID",
    "DateOffset",
    "PHI-StudyDate",
    "ANON-AccNo",
    "PHI-AccNo",
    "ANON-StudyUID",
    "PHI-StudyUID",
    "Series",
    "Instances",
)
_OTHER_SPELLINGS = {
    "ANON-Accession": "ANON-AccNo",
    "PHI-Accession": "PHI-AccNo",
    "ANON-StudyInstanceUID": "ANON-StudyUID",
    "PHI-StudyInstanceUID": "PHI-StudyUID",
    "Number of Series": "Series",
    "Number of Instances": "Instances",
}
_OPTIONAL = frozenset(("Series", "Instances", "ANON-PatientName", "PHI-PatientName"))


def read_index(path: Path) -> Mappings:
    """Read the patient index (`Index.xlsx`) of the Java version of the RSNA anonymizer: 11 columns, one heading row."""
    mappings = Mappings("rsna-index")
    for number, cells in enumerate(read_rows(path), 1):
        if number == 1 or not any(cells):
            continue
        if len(cells) > len(INDEX_COLUMNS):
            raise UnreadableMappings(f"Row {number} has {len(cells)} cells; the patient index has 11 columns.")
        padded = cells + [""] * (len(INDEX_COLUMNS) - len(cells))
        _add(mappings, dict(zip(INDEX_COLUMNS, padded, strict=True)), number)
    return mappings


def read_lookup(path: Path) -> Mappings:
    """Read a patient lookup CSV of the RSNA anonymizer, of either version."""
    mappings = Mappings("rsna-lookup")
    header, rows = _read_csv(path)
    names = [_OTHER_SPELLINGS.get(name.strip(), name.strip()) for name in header]
    missing = [name for name in LOOKUP_COLUMNS if name not in names and name not in _OPTIONAL]
    if missing:
        raise UnreadableMappings(f"The lookup table has no column {', '.join(missing)}.")
    for number, cells in rows:
        if len(cells) != len(names):
            raise UnreadableMappings(f"Row {number} has {len(cells)} cells, and the heading has {len(names)}.")
        _add(mappings, dict(zip(names, cells, strict=True)), number)
    return mappings


def read_pairs(path: Path) -> Mappings:
    """Read `id_old,id_new`: UIDs or PatientIDs, told apart by the name of the file (`uid_mapping`, `patid_mapping`)."""
    header, rows = _read_csv(path)
    if [name.strip() for name in header] != ["id_old", "id_new"]:
        raise UnreadableMappings("The file has other columns than id_old,id_new.")
    patients = "pat" in path.name.lower()
    mappings = Mappings("patid-mapping" if patients else "uid-mapping")
    for number, cells in rows:
        if len(cells) != 2:
            raise UnreadableMappings(f"Row {number} has {len(cells)} cells instead of 2.")
        (mappings.add_patient if patients else mappings.add_uid)(cells[0], cells[1])
    return mappings


def read_fiona(path: Path) -> Mappings:
    """Read FIONA's `mapping.json`: objects of old to new UIDs, `StudyInstanceUID` and `SeriesInstanceUID`."""
    try:
        document = json.loads(path.read_text("utf-8"))
        groups = [document[name] for name in ("StudyInstanceUID", "SeriesInstanceUID") if name in document]
        pairs = [(str(old), str(new)) for group in groups for old, new in group.items()]
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UnreadableMappings("The file is not a mapping.json of FIONA's anonymizer.") from None
    mappings = Mappings("fiona-mapping")
    for pair in pairs:
        mappings.add_uid(*pair)
    return mappings


def _read_csv(path: Path) -> tuple[list[str], Iterable[tuple[int, list[str]]]]:
    """Return the heading and the rows with their line numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableMappings("The file is not UTF-8 text. Save it as CSV in UTF-8.") from None
    try:
        rows = [
            (number, row) for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1) if row
        ]
    except csv.Error:
        raise UnreadableMappings("The file is not a CSV: a quotation mark is missing.") from None
    if not rows:
        raise UnreadableMappings("The file is empty.")
    return rows[0][1], rows[1:]


def _add(mappings: Mappings, row: Mapping[str, str], number: int) -> None:
    patient, subject = row["PHI-PatientID"], row["ANON-PatientID"]
    offset = _number(row["DateOffset"], "DateOffset", number)
    if not mappings.add_patient(patient, subject, row.get("PHI-PatientName", ""), offset):
        return
    study = OldStudy(
        patient_id=patient.strip(),
        study_uid=row["PHI-StudyUID"].strip(),
        offset_days=offset,
        study_date=row["PHI-StudyDate"].strip() if re.fullmatch("[0-9]{8}", row["PHI-StudyDate"].strip()) else "",
        accession=row["PHI-AccNo"].strip(),
        series=_number(row.get("Series", ""), "Series", number),
        instances=_number(row.get("Instances", ""), "Instances", number),
    )
    mappings.add_study(study, row["ANON-StudyUID"])
    mappings.add_accession(patient, row["PHI-AccNo"], row["ANON-AccNo"])


def _number(text: str, column: str, row: int) -> int | None:
    if not text.strip():
        return None
    if not re.fullmatch(r"-?[0-9]{1,6}", text.strip()):
        raise UnreadableMappings(f"Row {row}: {column} is not a whole number.")
    return int(text)
