"""What is decided about one study, within one transaction of its project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from airlock.errors import HeldError, RetryableError
from airlock.identity.dates import offset_days
from airlock.identity.fiona import is_legal_uid
from airlock.identity.keys import KeyRing
from airlock.identity.models import AccessionRow, AliasRow, PatientRow, StudyRow
from airlock.identity.question import Person, Question
from airlock.identity.remote import Answer
from airlock.identity.rows import add_uids, find_patient, insert_one, known_uids, owner_of, storable
from airlock.identity.subjects import accession_maker, hashed_subject, numbered_subject, patterned_subject
from airlock.identity.uids import UidMap
from airlock.project import ProjectPolicy


@dataclass(frozen=True, repr=False)
class Decision:
    """One study.

    :param answer: of the identity service, when it was asked.
    """

    session: Session
    keys: KeyRing
    project: ProjectPolicy
    person: Person
    question: Question
    answer: Answer | None = None
    dry_run: bool = False

    def find(self) -> PatientRow | None:
        """Return the patient when it is known."""
        person = self.person
        return find_patient(self.session, self.project.name, person.patient_id, person.issuer, person.study_uid)

    def patient(self) -> PatientRow:
        """Return the patient, noting it when it was not known."""
        known = self.find()
        if known is not None:
            return known
        subject = self._new_subject()
        self._refuse_taken(subject, None)
        insert_one(
            self.session,
            PatientRow,
            project=self.project.name,
            patient_id=self.person.patient_id,
            issuer=self.person.issuer,
            study_uid=self.person.study_uid,
            name=self.question.name or None,
            subject=subject,
            offset_days=self._offset(self.person.key),
            generation=self.keys.newest,
            source="airlock",
            made_at=datetime.now(UTC),
        )
        made = self.find()
        if made is None:
            raise RetryableError("The identity store lost what was just written. It is tried again by itself.")
        return made

    def _new_subject(self) -> str:
        policy, name, key = self.project.identity, self.project.name, self.person.key
        if policy.patient == "request":
            return self.question.subject
        if policy.patient == "running":
            return numbered_subject(self.session, name, policy.site, dry_run=self.dry_run)
        if policy.patient == "pattern":
            keys = self.keys.at(self.keys.newest)
            return patterned_subject(self.session, keys, name, self.person.patient_id, key, self.project.id_pattern())
        if policy.patient == "service" and self.answer is not None:
            return self.answer.subject
        if policy.patient == "hash" or self.dry_run:
            return hashed_subject(self.keys.at(self.keys.newest), name, key)
        raise HeldError("No rule names this patient. Correct `identity` in the project's policy, and clear this step.")

    def _offset(self, key: str) -> int:
        policy = self.project.identity
        if policy.dates == "constant":
            return policy.shift_days
        if policy.dates == "service" and self.answer is not None:
            return self.answer.offset_days
        keys = self.keys.at(self.keys.newest)
        return offset_days(keys, self.project.name, key, self.project.deidentify.max_shift_days)

    def _refuse_taken(self, subject: str, patient: int | None) -> None:
        if owner_of(self.session, self.project.name, subject) not in (None, patient):
            raise HeldError(
                "Another patient has this research subject id in this project. Find out whose it is (airlock identity "
                "export): correct the request, or the PatientID at the source, and request the transfer again."
            )

    def subject(self, patient: PatientRow) -> str:
        """Return the subject id for this study.

        :raises HeldError: when the request asks for another one than the patient has.
        """
        wanted = self.question.subject
        if self.project.identity.patient != "request" or wanted == patient.subject:
            return patient.subject
        if not self.project.identity.several_subjects:
            raise HeldError(
                "This patient is known in this project under another research subject id. Correct the request, or "
                "withdraw the old one (airlock identity forget); where patients have several ids on purpose, set "
                "identity.several_subjects in the project's policy."
            )
        self._refuse_taken(wanted, patient.id)
        if self.session.get(AliasRow, (self.project.name, wanted)) is None:
            insert_one(self.session, AliasRow, project=self.project.name, subject=wanted, patient=patient.id)
        return wanted

    def study(self, patient: PatientRow) -> StudyRow:
        """Return the study, noting it when it was not known.

        :raises HeldError: when it is known as another patient's.
        """
        name, uid = self.project.name, self.question.study_uid
        query = select(StudyRow).where(StudyRow.project == name, StudyRow.study_uid == uid)
        row = self.session.scalars(query).first()
        if row is None:
            days = self.question.requested_offset_days
            if days is None and self.project.identity.dates == "keyed" and self.project.deidentify.shift_by == "study":
                days = self._offset(f"{self.person.key}\0{uid}")
            row = StudyRow(
                project=name,
                study_uid=uid,
                patient=patient.id,
                offset_days=days,
                study_date=self.question.study_date or None,
                accession=next((a for a in sorted(self.question.accessions) if storable(a)), None),
            )
            self.session.add(row)
            self.session.flush()
        if row.patient != patient.id:
            raise HeldError(
                "This study is known in this project as another patient's. Find out which is right: have the PatientID "
                "corrected at its source, or withdraw the wrong one (airlock identity forget)."
            )
        return row

    def offset(self, patient: PatientRow, study: StudyRow) -> int:
        """Return by how many days the study's dates move: what is requested, else the study's own, else the patient's.

        A change of the project's rule does not move what is known.
        """
        if self.question.requested_offset_days is not None:
            return self.question.requested_offset_days
        return patient.offset_days if study.offset_days is None else study.offset_days

    def accessions(self, patient: PatientRow) -> dict[str, str]:
        """Return new accession numbers, noting those that were not known."""
        wanted = sorted({a.strip() for a in self.question.accessions if storable(a.strip())})
        method = self.project.identity.accession
        if method == "empty" or not wanted:
            return {}
        known = self.known_accessions(patient, wanted)
        made = self._made_accessions(method, [accession for accession in wanted if accession not in known])
        for accession, pseudonym in made.items():
            row = {"patient": patient.id, "accession": accession, "pseudonym": pseudonym}
            insert_one(self.session, AccessionRow, project=self.project.name, **row)
        return {**known, **made}

    def known_accessions(self, patient: PatientRow, wanted: list[str]) -> dict[str, str]:
        """Return those of the accession numbers that have a new one."""
        query = select(AccessionRow.accession, AccessionRow.pseudonym).where(
            AccessionRow.patient == patient.id, AccessionRow.accession.in_(wanted)
        )
        return dict(self.session.execute(query).all())

    def _made_accessions(self, method: str, wanted: list[str]) -> dict[str, str]:
        if method == "service":
            answered = self.answer.accessions if self.answer else {}
            return {accession: answered[accession] for accession in wanted if accession in answered}
        if method == "fiona" and self.project.identity.uids == "fiona_hex":
            method = "fiona_hex"
        keys = self.keys.at(self.keys.newest)
        make = accession_maker(self.session, keys, self.project.name, self.person.key, method)
        return {accession: make(accession) for accession in wanted}

    def uids(self, patient: PatientRow) -> tuple[UidMap, dict[str, str], int]:
        """Note the new UIDs; return the map, the pairs its rule would not make, and how many are illegal.

        :raises HeldError: when FIONA's rule makes illegal ones, and the project doesn't say what to do then.
        """
        policy, name = self.project.identity, self.project.name
        keys, keep = self.keys.at(patient.generation), policy.illegal_uids == "keep"
        rule = UidMap(keys, name, rule=policy.uids, keep_illegal=keep)
        wanted = {uid for given in self.question.uids if storable(uid := given.strip(" \0"))}
        known = known_uids(self.session, name, wanted)
        made = {uid: rule(uid) for uid in wanted if uid not in known}
        self._refuse_illegal(keys, [uid for uid in wanted if uid not in known])
        owner = patient.id
        add_uids(self.session, name, made, lambda _uid: owner)
        odd = {uid: new for uid, new in known.items() if new != rule(uid)}
        illegal = sum(not is_legal_uid(new) for new in (*made.values(), *known.values()))
        return UidMap(keys, name, odd, policy.uids, keep_illegal=keep), odd, illegal

    def _refuse_illegal(self, keys: KeyRing, uids: list[str]) -> None:
        policy = self.project.identity
        if policy.uids == "keyed" or policy.illegal_uids != "hold":
            return
        strict = UidMap(keys, self.project.name, rule=policy.uids, keep_illegal=True)
        illegal = sum(not is_legal_uid(strict(uid)) for uid in uids)
        if illegal:
            raise HeldError(
                f"FIONA's rule would make {illegal} of {len(uids)} new UIDs illegal (PS3.5 section 9.1). Decide with "
                "the project, and set identity.illegal_uids in its policy: `keep` goes on as FIONA did, `replace` "
                "gives these UIDs new ones."
            )
