"""What is asked about a study, and what the answer is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from airlock.errors import HeldError
from airlock.identity.dates import patient_key
from airlock.identity.evidence import Evidence
from airlock.identity.keys import KeyRing
from airlock.identity.rows import storable
from airlock.identity.uids import UidMap


@dataclass(frozen=True, repr=False)
class Question:
    """A study, as its inputs describe it. It holds patient data: never log it.

    :param patients: `(PatientID, IssuerOfPatientID)` of the inputs (PS3.3 table C.2-2).
    :param subject: research subject id that the request asks for.
    :param uids: every UID of the inputs that will be replaced; empty when UIDs are retained.
    :param accessions: accession numbers of the inputs.
    :param name: PatientName, kept for the lookup table when given; so is `study_date` (DA).
    :param requested_offset_days: by which the request wants this study's dates to move, whatever is known.
    """

    patients: Collection[tuple[str, str]]
    study_uid: str
    subject: str = ""
    uids: Collection[str] = ()
    accessions: Collection[str] = ()
    name: str = ""
    study_date: str = ""
    requested_offset_days: int | None = None


@dataclass(frozen=True, repr=False)
class Identity:
    """Who the patient of a study becomes. It holds originals: never log it.

    :param offset_days: by which dates move.
    :param keys: the generation of the key that this patient's values are derived with.
    :param known_uids: new UIDs that the rule of `uids` would not make: imported, or made with another generation.
    :param uids: original UID to new UID.
    :param accessions: original accession number to new one; what is missing here must be emptied.
    :param study_id: StudyID, where the project's rule makes it; else None.
    :param illegal_uids: how many of the new UIDs break PS3.5 section 9.1, for the audit.
    :param known: what other studies of the patient say.
    """

    subject: str
    offset_days: int
    keys: KeyRing
    known_uids: Mapping[str, str]
    uids: UidMap
    accessions: Mapping[str, str] = field(default_factory=dict)
    study_id: str | None = None
    illegal_uids: int = 0
    known: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, repr=False)
class Person:
    """What tells a patient from others: PatientID and its issuer, or the study when there is no PatientID."""

    patient_id: str
    issuer: str
    study_uid: str

    @property
    def key(self) -> str:
        """What a patient's values are derived from."""
        return patient_key(self.patient_id, self.issuer, self.study_uid)


def person_of(question: Question) -> Person:
    """Return the one patient that a study belongs to.

    :raises HeldError: when there are several, or the PatientID cannot be kept as it is.
    """
    pairs = {(patient_id.strip(), issuer.strip()) for patient_id, issuer in question.patients}
    ids = {patient_id for patient_id, _ in pairs if patient_id}
    issuers = {issuer for patient_id, issuer in pairs if patient_id and issuer}
    if len(ids) > 1:
        raise HeldError(
            f"The study holds instances of {len(ids)} different PatientIDs. Have the study corrected at its source, or "
            "split it, and request the transfer again."
        )
    if len(issuers) > 1:
        raise HeldError(
            f"The study names {len(issuers)} different issuers of its PatientID (0010,0021), which makes them "
            "different patients. Have the study corrected at its source, and request the transfer again."
        )
    patient_id, issuer = next(iter(ids), ""), next(iter(issuers), "")
    if not all(storable(value) for value in (patient_id, issuer) if value):
        raise HeldError(
            "The PatientID or its issuer has control characters, or more than 255 characters. Have it corrected at "
            "its source, and request the transfer again."
        )
    return Person(patient_id, issuer, "" if patient_id else question.study_uid)
