"""Mappings: who became whom, as an earlier system kept it. All of it is patient data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from airlock.errors import RefusedError
from airlock.identity.fiona import is_legal_uid
from airlock.identity.limits import is_accession, is_subject


class UnreadableMappings(RefusedError):
    """A file is not in the format it should have. The text names places, never values."""


@dataclass(repr=False)
class OldPatient:
    """A patient.

    :param subject: its first subject id; `others` are further ones.
    :param offset_days: that were added to dates; None when the system did not move them.
    """

    patient_id: str
    subject: str
    name: str = ""
    offset_days: int | None = None
    others: list[str] = field(default_factory=list)


@dataclass(repr=False)
class OldStudy:
    """A study. Its new UID is among :attr:`Mappings.uids`."""

    patient_id: str
    study_uid: str
    offset_days: int | None = None
    study_date: str = ""
    accession: str = ""
    series: int | None = None
    instances: int | None = None


@dataclass(repr=False)
class Mappings:
    """What one file holds.

    :param accessions: `(PatientID, original)` to new accession number.
    :param owners: PatientID of those UIDs of which the file tells it.
    :param notes: what was left out or is doubtful, with how often; free of values.
    """

    source: str
    patients: dict[str, OldPatient] = field(default_factory=dict)
    studies: dict[str, OldStudy] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)
    accessions: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    owners: dict[str, str] = field(default_factory=dict)

    def add_patient(self, patient_id: str, subject: str, name: str = "", offset_days: int | None = None) -> bool:
        """Add a patient, or a further subject id of one; return whether its studies can be added.

        :raises UnreadableMappings: when two patients have one subject id.
        """
        patient_id = patient_id.strip()
        if not patient_id:
            self.notes["patients without PatientID, left out: Airlock tells them by their study"] += 1
            return False
        if not is_subject(subject):
            self.notes["patients whose new id cannot be a PatientID (LO), left out"] += 1
            return False
        known = self.patients.setdefault(patient_id, OldPatient(patient_id, subject, name, offset_days))
        if known.offset_days is None:
            known.offset_days = offset_days
        if subject != known.subject and subject not in known.others:
            known.others.append(subject)
            self.notes["patients with a further new id; the first one goes on"] += 1
        return True

    def add_study(self, study: OldStudy, new_uid: str) -> None:
        """Add a study of a patient that was added."""
        if study.study_uid in self.studies:
            if self.studies[study.study_uid].patient_id != study.patient_id:
                raise UnreadableMappings("A study belongs to two patients in this file. Find out which is right.")
        elif self.add_uid(study.study_uid, new_uid, study.patient_id):
            self.studies[study.study_uid] = study

    def add_uid(self, original: str, new: str, patient_id: str = "") -> bool:
        """Add a new UID; return whether it was usable."""
        original, new = original.strip(" \0"), new.strip(" \0")
        if not original or not new or len(new) > 64:
            self.notes["UIDs that are empty or too long, left out"] += 1
            return False
        if self.uids.setdefault(original, new) != new:
            self.notes["UIDs with a further new one; the first one goes on"] += 1
        elif not is_legal_uid(new):
            self.notes["new UIDs that PS3.5 section 9.1 forbids"] += 1
        if patient_id.strip():
            self.owners.setdefault(original, patient_id.strip())
        return True

    def add_accession(self, patient_id: str, original: str, new: str) -> None:
        """Add a new accession number of a patient that was added."""
        if not original.strip() or not new.strip():
            return
        if not is_accession(new):
            self.notes["new accession numbers of more than 16 characters (SH), left out: they get new ones"] += 1
            return
        self.accessions.setdefault((patient_id.strip(), original.strip()), new)
