"""SQLite mapping stores: `identity.db` of dicom-anon, and the database of the RSNA anonymizer, version 18."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from airlock.identity.mappings import Mappings, OldStudy, UnreadableMappings

_V18_UIDS = (
    "SELECT series_uid, anon_series_uid, patient_id FROM series JOIN studies USING (study_uid)",
    """SELECT sop_instance_uid, anon_sop_instance_uid, patient_id
    FROM instances JOIN series USING (series_uid) JOIN studies USING (study_uid)""",
    "SELECT phi_uid, anon_uid, '' FROM UID_map",
)
# What dicom-anon notes for an element that it removed.
_REMOVED = "Removed by dicom-anon"


@contextmanager
def _opened(path: Path, *needed: str) -> Iterator[sqlite3.Connection]:
    """Yield a read-only connection to a database that has these tables."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            missing = set(needed) - tables_of(connection)
            if missing:
                raise UnreadableMappings(f"The database has no table {', '.join(sorted(missing))}.")
            yield connection
    except sqlite3.Error:
        raise UnreadableMappings("The database cannot be read: it is damaged, or another program's.") from None


def tables_of(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the tables."""
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def tables_in(path: Path) -> set[str]:
    """Return the names of the tables of a database file."""
    with _opened(path) as connection:
        return tables_of(connection)


def read_v18(path: Path) -> Mappings:
    """Read the database of the RSNA anonymizer, version 18."""
    mappings = Mappings("rsna-v18")
    with _opened(path, "phi", "studies", "series", "instances") as db:
        counts = dict(db.execute("SELECT study_uid, count(*) FROM series GROUP BY study_uid"))
        query = (
            "SELECT series.study_uid, count(*) FROM instances JOIN series ON series.series_uid = instances.series_uid "
            "GROUP BY series.study_uid"
        )
        instances = dict(db.execute(query))
        usable = {
            patient_id
            for patient_id, subject, name in db.execute("SELECT patient_id, anon_patient_id, patient_name FROM phi")
            if mappings.add_patient(patient_id, subject, name or "")
        }
        columns = "patient_id, study_uid, anon_study_uid, study_date, anon_date_delta, accession_number"
        for row in db.execute(f"SELECT {columns}, anon_accession_number FROM studies"):  # noqa: S608 - constants
            if row[0] in usable:
                _add_v18_study(mappings, row, counts.get(row[1]), instances.get(row[1]))
        for query in _V18_UIDS if "UID_map" in tables_of(db) else _V18_UIDS[:2]:
            for original, new, patient_id in db.execute(query):
                mappings.add_uid(original, new, patient_id)
    return mappings


def _add_v18_study(mappings: Mappings, row: tuple[Any, ...], series: int | None, instances: int | None) -> None:
    patient_id, study_uid, new_uid, date, days, accession, new_accession = row
    study = OldStudy(
        patient_id=patient_id.strip(),
        study_uid=study_uid,
        offset_days=days,
        study_date=date if date and date.isascii() and date.isdigit() and len(date) == 8 else "",
        accession=accession or "",
        series=series,
        instances=instances,
    )
    patient = mappings.patients[patient_id.strip()]
    if patient.offset_days is None:
        patient.offset_days = days
    mappings.add_study(study, new_uid)
    mappings.add_accession(patient_id, accession or "", new_accession or "")


def read_identity_db(path: Path) -> Mappings:
    """Read dicom-anon's `identity.db`: a table per attribute, with `original` and `cleaned` of each study.

    It numbers a patient anew in each study. The first number goes on, the others are kept as further ids. It notes no
    dates that it moved.
    """
    mappings = Mappings("dicom-anon")
    with _opened(path, "studyinstanceuid") as db:
        present = tables_of(db)
        names = {study: original for original, _new, study in _linked(db, present, "patientsname")}
        owners: dict[int, str] = {}
        for original, new, study in _linked(db, present, "patientid"):
            if mappings.add_patient(original, new, names.get(study, "")):
                owners[study] = original.strip()
        accessions = {study: (original, new) for original, new, study in _linked(db, present, "accessionnumber")}
        for study, old, cleaned in db.execute("SELECT id, original, cleaned FROM studyinstanceuid ORDER BY id"):
            original, new = _text(old), _text(cleaned)
            if study in owners:
                accession, new_accession = accessions.get(study, ("", ""))
                mappings.add_study(OldStudy(owners[study], original, accession=accession), new)
                mappings.add_accession(owners[study], accession, new_accession)
            else:
                mappings.add_uid(original, new)
        for name in ("seriesinstanceuid", "sopinstanceuid"):
            for original, new, study in _linked(db, present, name):
                mappings.add_uid(original, new, owners.get(study, ""))
    return mappings


def _linked(db: sqlite3.Connection, present: set[str], table: str) -> list[tuple[str, str, int]]:
    """Return `(original, cleaned, study)` of a table of dicom-anon; none when it never saw such an attribute."""
    if table not in present:
        return []
    rows = db.execute(f"SELECT original, cleaned, study FROM {table} ORDER BY id")  # noqa: S608 - a name from above
    pairs = ((_text(original), _text(cleaned), study) for original, cleaned, study in rows)
    return [(original, cleaned, study) for original, cleaned, study in pairs if _REMOVED not in cleaned]


def _text(value: Any) -> str:
    """Return a value as text: under Python 3 dicom-anon's replacements became bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
