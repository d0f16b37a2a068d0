"""Mapping stores of earlier systems, written as those systems write them.

Two patients: PAT-A with two studies, PAT-B with one.
"""

from __future__ import annotations

import csv
import pickle
import sqlite3
import sys
import types
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

SITE, ROOT = "527408", "1.2.826.0.1.3680043.10.474.527408"
PATIENTS = {"PAT-A": "Quill^Zoe", "PAT-B": "Ødegård^Bjørn"}
SUBJECTS = {"PAT-A": f"{SITE}-000001", "PAT-B": f"{SITE}-000002"}
STUDIES = [
    ("PAT-A", "1.2.276.1", f"{ROOT}.1", "20200110", 1200, "ACC-1", "1"),
    ("PAT-A", "1.2.276.2", f"{ROOT}.4", "20210110", 1200, "ACC-2", "2"),
    ("PAT-B", "1.2.276.3", f"{ROOT}.7", "20220110", 77, "ACC-3", "3"),
]


def rows() -> list[list[Any]]:
    """Return the lookup table's rows."""
    return [
        [SUBJECTS[p], SUBJECTS[p], PATIENTS[p], p, days, date, new_acc, acc, new_uid, uid, 1, 1]
        for p, uid, new_uid, date, days, acc, new_acc in STUDIES
    ]


def write_lookup(path: Path, columns: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows())
    return path


def write_index(path: Path, *, doctype: str = "") -> Path:
    """Write a workbook with shared strings, as Apache POI does for the Java anonymizer."""
    headings = [f"H{n}" for n in range(11)]
    table = [[s, s, n, p, days, "x", date, na, a, nu, u] for s, _, n, p, days, date, na, a, nu, u, *_ in rows()]
    strings: list[str] = []

    def cell(row: int, column: int, value: Any) -> str:
        reference = f"{chr(65 + column)}{row}"
        if isinstance(value, int):
            return f'<c r="{reference}"><v>{float(value)}</v></c>'
        strings.append(value)
        return f'<c r="{reference}" t="s"><v>{len(strings) - 1}</v></c>'

    lines = [
        f'<row r="{r}">{"".join(cell(r, c, v) for c, v in enumerate(values))}</row>'
        for r, values in enumerate([headings, *table], 1)
    ]
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "xl/workbook.xml",
            f'{head}<workbook {main} xmlns:r="{relations}"><sheets><sheet name="s" sheetId="1" r:id="rId3"/></sheets>'
            "</workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'{head}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
            f'Id="rId3" Target="worksheets/sheet1.xml" Type="{relations}/worksheet"/></Relationships>',
        )
        items = "".join(f'<si><t xml:space="preserve">{escape(s)}</t></si>' for s in strings)
        archive.writestr("xl/sharedStrings.xml", f"{head}{doctype}<sst {main}>{items}</sst>")
        data = f"<sheetData>{''.join(lines)}</sheetData>"
        archive.writestr("xl/worksheets/sheet1.xml", f"{head}<worksheet {main}>{data}</worksheet>")
    return path


def write_v18(path: Path) -> Path:
    db = sqlite3.connect(path)
    db.executescript("""
        CREATE TABLE phi (patient_id VARCHAR PRIMARY KEY, anon_patient_id VARCHAR UNIQUE, patient_name VARCHAR,
            sex VARCHAR, dob VARCHAR, ethnic_group VARCHAR);
        CREATE TABLE studies (study_uid VARCHAR PRIMARY KEY, anon_study_uid VARCHAR, patient_id VARCHAR,
            source VARCHAR, study_date VARCHAR, anon_date_delta INTEGER, accession_number VARCHAR,
            anon_accession_number VARCHAR, description VARCHAR, target_instance_count INTEGER);
        CREATE TABLE series (series_uid VARCHAR PRIMARY KEY, anon_series_uid VARCHAR, study_uid VARCHAR,
            modality VARCHAR, description VARCHAR);
        CREATE TABLE instances (sop_instance_uid VARCHAR PRIMARY KEY, anon_sop_instance_uid VARCHAR,
            series_uid VARCHAR);
        CREATE TABLE UID_map (mapping_pk INTEGER PRIMARY KEY AUTOINCREMENT, anon_uid VARCHAR, phi_uid VARCHAR);
    """)
    db.execute("INSERT INTO phi VALUES ('', ?, '', NULL, NULL, NULL)", (f"{SITE}-000000",))
    for patient, name in PATIENTS.items():
        db.execute("INSERT INTO phi VALUES (?, ?, ?, 'F', '', NULL)", (patient, SUBJECTS[patient], name))
    for n, (patient, uid, new_uid, date, days, acc, _) in enumerate(STUDIES):
        new_acc = "0123abcd-4567-89ef"[: 18 if n else 16]
        study = (uid, new_uid, patient, "PACS", date, days, acc, new_acc, "d", 1)
        db.execute("INSERT INTO studies VALUES (?,?,?,?,?,?,?,?,?,?)", study)
        db.execute("INSERT INTO series VALUES (?, ?, ?, 'CT', 'd')", (f"{uid}.1", f"{new_uid}.1", uid))
        db.execute("INSERT INTO instances VALUES (?, ?, ?)", (f"{uid}.1.1", f"{new_uid}.1.1", f"{uid}.1"))
    db.execute("INSERT INTO UID_map (anon_uid, phi_uid) VALUES (?, '1.2.276.9')", (f"{ROOT}.99",))
    db.commit()
    db.close()
    return path


def write_v17(path: Path, *, two_way: bool = False) -> Path:
    """Pickle a model with the classes' names and attributes of the program, which is gone when it is read."""
    names = ("model", "model.anonymizer", "bidict")
    modules = {name: types.ModuleType(name) for name in names}
    sys.modules.update(modules)
    try:
        model = _model(modules["model.anonymizer"], modules["bidict"], two_way=two_way)
        path.write_bytes(pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL))
    finally:
        for name in names:
            del sys.modules[name]
    return path


def _model(module: types.ModuleType, bidict: types.ModuleType, *, two_way: bool) -> Any:
    series = make_dataclass("Series", ["series_uid", "series_desc", "modality", "instance_count"])
    study = make_dataclass(
        "Study",
        ["source", "study_uid", "study_date", "anon_date_delta", "accession_number", "study_desc", "series"],
    )

    @dataclass
    class PHI:
        patient_name: str = ""
        patient_id: str = ""
        sex: str | None = None
        studies: list[Any] = field(default_factory=list)

    class AnonymizerModel:
        pass

    class OrderedBidict(dict):  # type: ignore[type-arg]  # of anything
        @classmethod
        def _from_other(cls, other: dict[Any, Any]) -> Any:
            return cls(other)

        def __reduce__(self) -> Any:
            return self.__class__._from_other, (dict(self),)

    for cls, home in (
        (series, module),
        (study, module),
        (PHI, module),
        (AnonymizerModel, module),
        (OrderedBidict, bidict),
    ):
        cls.__module__, cls.__qualname__ = home.__name__, cls.__name__
        setattr(home, cls.__name__, cls)
    model = AnonymizerModel()
    uids = {f"{uid}{s}": f"{new}{s}" for _, uid, new, *_ in STUDIES for s in ("", ".1", ".1.1")}
    people = {f"{SITE}-000000": PHI()}
    for patient, name in PATIENTS.items():
        mine = [
            study("PACS", uid, date, days, acc, "d", [series(f"{uid}.1", "d", "CT", 1)])
            for p, uid, _, date, days, acc, _ in STUDIES
            if p == patient
        ]
        people[SUBJECTS[patient]] = PHI(name, patient, "F", mine)
    kind: Any = OrderedDict if two_way else dict
    model.__dict__.update(
        _version=1,
        _site_id=SITE,
        _uid_prefix=ROOT,
        _script_path=Path("script.xml"),
        _patient_id_lookup=kind({"": f"{SITE}-000000", **SUBJECTS}),
        _uid_lookup=OrderedBidict(uids) if two_way else uids,
        _acc_no_lookup=kind((acc, new) for *_, acc, new in STUDIES),
        _phi_lookup=people,
        _tag_keep={"00080020": "@hashdate"},
    )
    return model


def write_identity_db(path: Path) -> Path:
    """Write dicom-anon's store: a table per attribute, made when it is first needed; replacements as bytes."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE studyinstanceuid (id INTEGER PRIMARY KEY AUTOINCREMENT, original, cleaned)")
    linked = "(id INTEGER PRIMARY KEY AUTOINCREMENT, original, cleaned, study INTEGER, FOREIGN KEY(study) REFERENCES "
    names = ("seriesinstanceuid", "sopinstanceuid", "patientid", "patientsname", "accessionnumber", "studydate")
    for name in (*names, "patientsbirthdate"):
        db.execute(f"CREATE TABLE {name} {linked}studyinstanceuid(id))")
    for n, (patient, uid, new_uid, date, _, acc, _) in enumerate(STUDIES, 1):
        db.execute("INSERT INTO studyinstanceuid (original, cleaned) VALUES (?, ?)", (uid, new_uid))
        values = {
            "seriesinstanceuid": (f"{uid}.1", f"{new_uid}.1"),
            "sopinstanceuid": (f"{uid}.1.1", f"{new_uid}.1.1"),
            "patientid": (patient, f"Patient ID {n}".encode()),
            "patientsname": (PATIENTS[patient], f"Patient's Name {n}".encode()),
            "accessionnumber": (acc, f"Accession Number {n}".encode()),
            "studydate": (date, "19010101"),
            "patientsbirthdate": ("19610203", "^^Audit Trail - Removed by dicom-anon - Audit Trail^^"),
        }
        for name, (old, cleaned) in values.items():
            db.execute(f"INSERT INTO {name} (original, cleaned, study) VALUES (?, ?, ?)", (old, cleaned, n))
    db.commit()
    db.close()
    return path
