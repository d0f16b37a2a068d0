"""Tables of the identity store: originals and what they became, per project. Nothing of it may be logged."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from airlock.identity.limits import ACCESSION_LENGTH, SUBJECT_LENGTH
from airlock.ledger.models import UtcDateTime


class Base(DeclarativeBase):
    """Declarative base of the identity store."""

    type_annotation_map = {datetime: UtcDateTime}


def _patient(*, nullable: bool = False) -> Mapped[int]:
    return mapped_column(ForeignKey("patients.id", ondelete="CASCADE"), index=True, nullable=nullable)


class PatientRow(Base):
    """A patient of a project.

    :param patient_id: the original PatientID; empty when there is none, then `study_uid` tells the patient.
    :param subject: the research subject id that outputs carry.
    :param offset_days: by which the patient's dates move.
    :param generation: of the key, that whatever is derived for this patient is derived with.
    :param source: how the row came here: `airlock`, or the format it was imported from.
    """

    __tablename__ = "patients"
    __table_args__ = (
        UniqueConstraint("project", "patient_id", "issuer", "study_uid", name="uq_patients_original"),
        UniqueConstraint("project", "subject", name="uq_patients_subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    study_uid: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    offset_days: Mapped[int]
    generation: Mapped[int]
    source: Mapped[str] = mapped_column(String(32))
    made_at: Mapped[datetime]


class AliasRow(Base):
    """A further subject id of a patient, where the project allows several."""

    __tablename__ = "aliases"

    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH), primary_key=True)
    patient: Mapped[int] = _patient()


class StudyRow(Base):
    """A study of a patient. `offset_days` counts instead of the patient's, where it is not null."""

    __tablename__ = "studies"
    __table_args__ = (UniqueConstraint("project", "study_uid", name="uq_studies_original"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(Text)
    patient: Mapped[int] = _patient()
    offset_days: Mapped[int | None]
    study_date: Mapped[str | None] = mapped_column(String(8))
    accession: Mapped[str | None] = mapped_column(Text)
    series: Mapped[int | None]
    instances: Mapped[int | None]


class AccessionRow(Base):
    """An accession number of a patient; two patients may have the same one, from two hospitals."""

    __tablename__ = "accessions"
    __table_args__ = (
        UniqueConstraint("project", "patient", "accession", name="uq_accessions_original"),
        UniqueConstraint("project", "pseudonym", name="uq_accessions_pseudonym"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(String(64))
    patient: Mapped[int] = _patient()
    accession: Mapped[str] = mapped_column(Text)
    pseudonym: Mapped[str] = mapped_column(String(ACCESSION_LENGTH))


class UidRow(Base):
    """A UID and the one that replaces it. Devices and frames may be shared by patients: the first one counts."""

    __tablename__ = "uids"
    __table_args__ = (UniqueConstraint("project", "new_uid", name="uq_uids_new"),)

    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    uid: Mapped[str] = mapped_column(Text, primary_key=True)
    new_uid: Mapped[str] = mapped_column(String(64))
    patient: Mapped[int | None] = _patient(nullable=True)


class CounterRow(Base):
    """The last running number given out. It never goes back, so that no number is given to two patients."""

    __tablename__ = "counters"

    project: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int]


class KeyRow(Base):
    """A generation of the deployment key, known by a fingerprint from which the key cannot be found."""

    __tablename__ = "key_generations"

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime]
