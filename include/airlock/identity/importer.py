"""Taking over what an earlier system knew, all of it or, when something contradicts what is known, nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from airlock.errors import HeldError
from airlock.identity.dates import offset_days, patient_key
from airlock.identity.keys import KeyRing
from airlock.identity.mappings import Mappings, OldPatient
from airlock.identity.models import AccessionRow, AliasRow, PatientRow, StudyRow
from airlock.identity.rows import add_uids, among, insert_new, known_uids, owner_of, portions, raise_counter, storable
from airlock.identity.store import IdentityStore
from airlock.identity.subjects import ACCESSIONS, PATIENTS
from airlock.project import ProjectPolicy


@dataclass(frozen=True)
class Imported:
    """How many of each were new, and what was left out or is doubtful."""

    patients: int = 0
    studies: int = 0
    accessions: int = 0
    uids: int = 0
    notes: dict[str, int] = field(default_factory=dict)


def import_mappings(
    store: IdentityStore, keys: KeyRing, project: ProjectPolicy, mappings: Mappings, *, dry_run: bool = False
) -> Imported:
    """Add what a file holds to a project.

    What it does not say of a patient, such as an offset of dates, is made as for a new patient.

    :param dry_run: keep nothing, and say what would be added.
    :raises HeldError: when something in it contradicts what is known; then nothing is kept.
    """
    with store.transaction(project.name, dry_run=dry_run) as session:
        work = _Import(session, keys, project, mappings)
        owners = work.patients()
        return Imported(
            patients=work.added,
            studies=work.studies(owners),
            accessions=work.accessions(owners),
            uids=work.uids(owners),
            notes=dict(mappings.notes),
        )


class _Import:
    def __init__(self, session: Session, keys: KeyRing, project: ProjectPolicy, mappings: Mappings) -> None:
        self._session, self._keys, self._project, self._mappings = session, keys, project, mappings
        self._name = project.name
        self.added = 0

    def patients(self) -> dict[str, int]:
        """Add the patients; return their row ids by PatientID."""
        patients = {key: patient for key, patient in self._mappings.patients.items() if storable(key)}
        if len(patients) < len(self._mappings.patients):
            self._mappings.notes["PatientIDs with control characters or more than 255 characters, left out"] += len(
                self._mappings.patients
            ) - len(patients)
        known = self._known_patients(patients)
        contradictions = sum(not _agrees(patients[key], row) for key, row in known.items())
        _refuse(contradictions, "patients are known under another new id or offset")
        new = [patient for key, patient in patients.items() if key not in known]
        self.added = insert_new(self._session, PatientRow, [self._row(patient) for patient in new])
        _refuse(len(new) - self.added, "patients have a new id that belongs to another patient")
        owners = {key: row.id for key, row in self._known_patients(patients).items()}
        for patient in patients.values():
            self._add_others(patient, owners[patient.patient_id])
        numbers = (re.fullmatch(r".*-([0-9]{6})", patient.subject) for patient in patients.values())
        raise_counter(self._session, self._name, PATIENTS, max((int(n[1]) for n in numbers if n), default=0))
        return owners

    def _known_patients(self, patient_ids: Iterable[str]) -> dict[str, PatientRow]:
        found = {}
        for chunk in portions(self._session, patient_ids):
            condition = among(self._session, PatientRow.patient_id, chunk)
            query = select(PatientRow).where(PatientRow.project == self._name, condition)
            for row in self._session.scalars(query):
                _refuse(row.patient_id in found, "PatientIDs belong to several patients here, of different issuers")
                found[row.patient_id] = row
        return found

    def _row(self, patient: OldPatient) -> dict[str, Any]:
        days = patient.offset_days
        if days is None:
            key = patient_key(patient.patient_id, "", "")
            keys, largest = self._keys.at(self._keys.newest), self._project.deidentify.max_shift_days
            days = offset_days(keys, self._name, key, largest)
        return {
            "project": self._name,
            "patient_id": patient.patient_id,
            "issuer": "",
            "study_uid": "",
            "name": patient.name or None,
            "subject": patient.subject,
            "offset_days": days,
            "generation": self._keys.newest,
            "source": self._mappings.source,
            "made_at": datetime.now(UTC),
        }

    def _add_others(self, patient: OldPatient, row: int) -> None:
        for subject in patient.others:
            owner = owner_of(self._session, self._name, subject)
            _refuse(owner not in (None, row), "further new ids belong to another patient")
            if owner is None:
                insert_new(self._session, AliasRow, [{"project": self._name, "subject": subject, "patient": row}])

    def studies(self, owners: dict[str, int]) -> int:
        """Add the studies; return how many were new."""
        studies = {s.study_uid: s for s in self._mappings.studies.values() if s.patient_id in owners}
        for chunk in portions(self._session, studies):
            query = select(StudyRow.study_uid, StudyRow.patient).where(
                StudyRow.project == self._name, among(self._session, StudyRow.study_uid, chunk)
            )
            others = sum(row != owners[studies[uid].patient_id] for uid, row in self._session.execute(query))
            _refuse(others, "studies are known as another patient's")
        rows = [
            {
                "project": self._name,
                "study_uid": study.study_uid,
                "patient": owners[study.patient_id],
                "offset_days": study.offset_days,
                "study_date": study.study_date or None,
                "accession": study.accession or None,
                "series": study.series,
                "instances": study.instances,
            }
            for study in studies.values()
        ]
        return insert_new(self._session, StudyRow, rows)

    def accessions(self, owners: dict[str, int]) -> int:
        """Add the accession numbers; return how many were new."""
        rows = [
            {"project": self._name, "patient": owners[patient_id], "accession": original, "pseudonym": new}
            for (patient_id, original), new in self._mappings.accessions.items()
            if patient_id in owners and storable(original)
        ]
        added = insert_new(self._session, AccessionRow, rows)
        if added < len(rows):
            self._mappings.notes["accession numbers that were known, or are shared by patients, left as they are"] += (
                len(rows) - added
            )
        made = self._mappings.accessions.values()
        numbers = (int(new) for new in made if re.fullmatch(r"[0-9]{1,9}", new))
        raise_counter(self._session, self._name, ACCESSIONS, max(numbers, default=0))
        return added

    def uids(self, owners: dict[str, int]) -> int:
        """Add the UIDs; return how many were new."""
        pairs = {old: new for old, new in self._mappings.uids.items() if storable(old)}
        known = known_uids(self._session, self._name, pairs)
        _refuse(sum(pairs[old] != new for old, new in known.items()), "UIDs are known with another new UID")
        new_ones = {old: new for old, new in pairs.items() if old not in known}
        belongs = self._mappings.owners
        return add_uids(self._session, self._name, new_ones, lambda uid: owners.get(belongs.get(uid, "")))


def _agrees(patient: OldPatient, row: PatientRow) -> bool:
    return patient.subject == row.subject and patient.offset_days in (None, row.offset_days)


def _refuse(count: int | bool, what: str) -> None:
    if count:
        raise HeldError(
            f"The file contradicts what is known in this project: {int(count)} {what}. Nothing was imported. Import it "
            "into a project of its own, or withdraw what is wrong (airlock identity forget)."
        )
