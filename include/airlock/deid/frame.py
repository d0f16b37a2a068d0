"""What de-identifying a folder knows before a file is read, and what follows from a patient's identity."""

from __future__ import annotations

from airlock.deid.offsets import date_offset
from airlock.deid.recipe import EngineName, Recipe
from airlock.identity.dates import patient_key
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.deid.policy import Policy
    from airlock.identity.evidence import Evidence
    from airlock.identity.keys import KeyRing


class Frame(NamedTuple):
    """The same for all patients of a folder.

    :param subject: research subject id, where the folder holds one patient; others get a keyed pseudonym.
    :param writes: whether anything may be written before all files are harvested.
    """

    keys: KeyRing
    project: str
    policy: Policy
    subject: str | None = None
    engine: EngineName = "stream"
    writes: bool = True

    def __repr__(self) -> str:
        return "<Frame>"

    def recipe(self, key: str, study: str, evidence: Evidence) -> Recipe:
        """Return how instances of a patient are de-identified.

        :param key: of the patient, see :func:`key_of`.
        :param study: StudyInstanceUID; it counts where the dates of every study move by their own offset.
        """
        return Recipe(
            keys=self.keys,
            project=self.project,
            subject=self.subject_of(key),
            event="",
            edition=self.policy.edition,
            options=self.policy.options,
            days=date_offset(self.keys, self.project, self.policy, key, study),
            evidence=evidence,
            policy=self.policy,
            engine=self.engine,
        )

    def subject_of(self, key: str) -> str:
        """Return the research subject id of a patient."""
        return self.subject or "P-" + self.keys.token(f"patient/{self.project}", key, length=13).upper()


def key_of(evidence: Evidence, issuer: str | None = None) -> str:
    """Return what tells the patient of one file from others.

    :param evidence: what the file says of its patient and study.
    :param issuer: of the PatientID, where other files tell more of it.
    """
    patient_id, said = min(evidence.patients, default=("", ""))
    return patient_key(patient_id, said if issuer is None else issuer, study_of(evidence))


def study_of(evidence: Evidence) -> str:
    """Return the StudyInstanceUID of one file; empty when it has none."""
    return min(evidence.studies, default="")
