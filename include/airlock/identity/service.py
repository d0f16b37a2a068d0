"""IdentityService: says who the patient of a study becomes, and remembers it.

Everything that a study needs is decided in one transaction before anything of it is written: what another worker
decides about the same patient, device or frame at the same moment is either seen, or sees this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from airlock.errors import HeldError, PolicyError
from airlock.identity.dates import offset_days
from airlock.identity.decide import Decision
from airlock.identity.elsewhere import known_evidence
from airlock.identity.fiona import fiona_study_id
from airlock.identity.keys import KeyRing
from airlock.identity.question import Identity, Person, Question, person_of
from airlock.identity.remote import Answer, IdentityClient
from airlock.identity.store import IdentityStore, open_store
from airlock.identity.subjects import hashed_subject
from airlock.identity.uids import UidMap
from airlock.project import ProjectPolicy
from airlock.settings import Settings


class IdentityService:
    """Answers for one project.

    :param client: identity service to ask, where the project names one.
    """

    def __init__(
        self, store: IdentityStore, keys: KeyRing, project: ProjectPolicy, client: IdentityClient | None = None
    ) -> None:
        self._store, self._keys, self._project, self._client = store, keys, project, client

    @classmethod
    def open(cls, settings: Settings, keys: KeyRing, project: ProjectPolicy) -> IdentityService:
        """Open the service of a project.

        :raises PolicyError: when store and key do not belong together, or the policy cannot be used.
        """
        token = settings.identity_service_token
        secret = token.get_secret_value() if token else ""
        client = IdentityClient(project.identity.service, secret) if project.identity.patient == "service" else None
        return cls(open_store(settings, keys), keys, project, client)

    def identify(
        self, question: Question, *, dry_run: bool = False, one_time: Callable[[], KeyRing] | None = None
    ) -> Identity:
        """Say who the patient becomes, noting it when it was not known.

        :param dry_run: note nothing and ask no service; a running number that would be given out is 0.
        :param one_time: returns keys that exist for this transfer only, for projects that cut all ties.
        :raises HeldError: on a conflict; the text says which, free of values.
        :raises PeerUnavailable: when the store or the identity service does not answer.
        """
        person = person_of(question)
        if self._project.identity.patient == "cut_ties":
            if one_time is None:
                raise PolicyError("This project cuts all ties, which needs a key of the transfer's own. Report it.")
            return self._untied(person, one_time())
        answer = None if dry_run or self._client is None else self._ask(self._client, person, question)
        with self._store.transaction(self._project.name, dry_run=dry_run) as session:
            decision = Decision(session, self._keys, self._project, person, question, answer, dry_run)
            patient = decision.patient()
            study = decision.study(patient)
            uids, odd, illegal = decision.uids(patient)
            return Identity(
                subject=decision.subject(patient),
                offset_days=decision.offset(patient, study),
                keys=self._keys.at(patient.generation),
                known_uids=odd,
                uids=uids,
                accessions=decision.accessions(patient),
                study_id=self._study_id(question.study_uid),
                illegal_uids=illegal,
                known=known_evidence(session, patient),
            )

    def known_subject(self, patients: Collection[tuple[str, str]], study_uid: str) -> str:
        """Return the research subject id of a patient that is known; empty when it is not.

        :raises HeldError: when there are several patients.
        """
        question = Question(patients=patients, study_uid=study_uid)
        with self._store.transaction(self._project.name, dry_run=True) as session:
            found = Decision(session, self._keys, self._project, person_of(question), question).find()
            return found.subject if found is not None else ""

    def _study_id(self, study_uid: str) -> str | None:
        rule = self._project.identity.uids
        return None if rule == "keyed" else fiona_study_id(study_uid, self._project.name, hexadecimal=rule != "fiona")

    def _ask(self, client: IdentityClient, person: Person, question: Question) -> Answer | None:
        """Ask the identity service about what is not known, outside of the transaction: it may take long.

        :raises HeldError: when there is no PatientID to ask about.
        """
        wanted = sorted({accession.strip() for accession in question.accessions} - {""})
        if self._project.identity.accession != "service":
            wanted = []
        with self._store.transaction(self._project.name, dry_run=True) as session:
            decision = Decision(session, self._keys, self._project, person, question)
            patient = decision.find()
            if patient is not None and len(decision.known_accessions(patient, wanted)) == len(wanted):
                return None
        if not person.patient_id:
            raise HeldError(
                "The study has no PatientID, so the identity service cannot be asked about it. Have it corrected at "
                "its source, and request the transfer again."
            )
        return client.ask(person.patient_id, person.issuer, wanted)

    def _untied(self, person: Person, keys: KeyRing) -> Identity:
        """Make an identity that nobody can make again once the transfer's own key is gone."""
        name = self._project.name
        return Identity(
            subject=hashed_subject(keys, name, person.key),
            offset_days=offset_days(keys, name, person.key, self._project.deidentify.max_shift_days),
            keys=keys,
            known_uids={},
            uids=UidMap(keys, name),
        )
