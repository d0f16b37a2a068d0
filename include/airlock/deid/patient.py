"""The inputs of one patient of a folder, and what became of each."""

from __future__ import annotations

from airlock.identity.evidence import Evidence
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airlock.deid.batch import Task
    from airlock.identity.question import Identity
    from airlock.identity.uids import UidMap


class Outcome(NamedTuple):
    """What became of one input.

    :param name: its path below the input folder.
    :param reason: why it is skipped or held, free of values.
    :param output: path below the output folder.
    """

    name: str
    kind: Literal["out", "skipped", "held"]
    reason: str = ""
    output: str | None = None


class Patient:
    """The inputs of one patient. It holds patient data: never log it.

    `studies` has the StudyInstanceUID of each input, by its path; `identities` is by StudyInstanceUID, where an
    identity store says who the patient becomes.

    :param key: what tells the patient from others.
    :param subject: who the patient becomes.
    """

    def __init__(self, key: str, patient_id: str, subject: str, issuer: str = "") -> None:
        self.key, self.patient_id, self.subject, self.issuer = key, patient_id, subject, issuer
        self.tasks: list[Task] = []
        self.evidence = Evidence()
        self.studies: dict[str, str] = {}
        self.identities: dict[str, Identity] = {}

    def uids(self, usual: UidMap) -> UidMap:
        """Return what makes this patient's new UIDs."""
        return next((identity.uids for identity in self.identities.values()), usual)
