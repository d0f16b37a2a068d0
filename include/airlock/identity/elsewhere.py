"""What the identity store knows of a patient from other studies: it identifies the patient in this one, too."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from airlock.identity.evidence import Evidence
from airlock.identity.models import AccessionRow, PatientRow, StudyRow


def known_evidence(session: Session, patient: PatientRow) -> Evidence:
    """Return names, numbers, study UIDs and dates that were noted of a patient."""
    studies = session.scalars(select(StudyRow).where(StudyRow.patient == patient.id)).all()
    accessions = session.scalars(select(AccessionRow.accession).where(AccessionRow.patient == patient.id)).all()
    numbers = {patient.patient_id, *accessions, *(study.accession or "" for study in studies)}
    return Evidence(
        names={group for group in (patient.name or "").split("=") if group.strip(" ^")},
        numbers={number for number in numbers if number},
        dates={study.study_date for study in studies if study.study_date},
        uids={study.study_uid for study in studies},
    )
