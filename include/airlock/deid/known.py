"""What the identity store knows of the patients of a folder: they become whom they become in a transfer.

Used where the installation has an identity store; without one, a folder needs none.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from airlock.deid.patient import Outcome, Patient
from airlock.deid.recipe import Recipe
from airlock.errors import HeldError
from airlock.identity.keys import KEY_BYTES, KeyRing
from airlock.identity.question import Identity, Question
from airlock.identity.service import IdentityService
from airlock.identity.transfers import facts_of
from airlock.project import ProjectPolicy, find_policy
from airlock.settings import load_settings


class KnownPatients:
    """Asks the identity store, and notes in it who was not known.

    :param subject: research subject id that was asked for.
    :param dry_run: note nothing.
    """

    def __init__(self, service: IdentityService, policy: ProjectPolicy, subject: str | None, *, dry_run: bool) -> None:
        self._service, self._policy, self._subject, self._dry_run = service, policy, subject, dry_run
        # Whoever cuts all ties gets another identity in every run.
        self._one_time = KeyRing(secrets.token_bytes(KEY_BYTES))

    def identify(self, patient: Patient) -> Iterator[Outcome]:
        """Say who a patient becomes in each of its studies; yield the inputs that are held, and leave them out.

        :raises PeerUnavailable: when the store or the identity service does not answer.
        """
        files: dict[str, list[Path]] = defaultdict(list)
        for task in patient.tasks:
            files[patient.studies[task.key]].append(Path(task.source))
        for study in sorted(files):
            try:
                patient.identities[study] = self._identity(patient, study, files[study])
            except HeldError as held:
                yield from (Outcome(t.key, "held", str(held)) for t in patient.tasks if patient.studies[t.key] == study)
        for identity in patient.identities.values():
            patient.evidence.update(identity.known)
        patient.tasks = [task for task in patient.tasks if patient.studies[task.key] in patient.identities]
        patient.subject = next((identity.subject for identity in patient.identities.values()), patient.subject)

    def _identity(self, patient: Patient, study: str, files: list[Path]) -> Identity:
        accession, study_date, name = facts_of(files)
        patients = {(patient.patient_id, patient.issuer)} if patient.patient_id else set()
        retained = "retain_uids" in self._policy.deidentify.options
        question = Question(
            patients=patients,
            study_uid=study,
            # Where a project takes ids from requests, nobody asks for one here: who is known keeps the own.
            subject=self._subject or self._service.known_subject(patients, study) or patient.subject,
            uids=() if retained else patient.evidence.uids,
            accessions=(accession,) if accession else (),
            name=name,
            study_date=study_date,
        )
        return self._service.identify(question, dry_run=self._dry_run, one_time=lambda: self._one_time)

    @staticmethod
    def recipe(recipe: Recipe, patient: Patient, study: str) -> Recipe:
        """Return a recipe with the identity that a patient has in a study."""
        identity = patient.identities[study]
        return recipe._replace(
            keys=identity.keys,
            subject=identity.subject,
            days=identity.offset_days,
            uids=identity.uids,
            accessions=identity.accessions,
            study_id=identity.study_id,
        )


def open_known(keys: KeyRing, project: str, subject: str | None, *, dry_run: bool) -> KnownPatients:
    """Open the installation's identity store for a project.

    :param subject: research subject id that was asked for.
    :raises PolicyError: when store and key do not belong together.
    :raises PeerUnavailable: when the store does not answer.
    """
    settings = load_settings()
    policy = find_policy(settings.projects, project)
    return KnownPatients(IdentityService.open(settings, keys, policy), policy, subject, dry_run=dry_run)
