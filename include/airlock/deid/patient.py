"""The inputs of one patient of a folder, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from airlock.deid.batch import Task
from airlock.identity.evidence import Evidence

if TYPE_CHECKING:
    from airlock.identity.question import Identity
    from airlock.identity.uids import UidMap


@dataclass(frozen=True)
class Outcome:
    """What became of one input.

    :param name: its path below the input folder.
    :param reason: why it is skipped or held, free of values.
    :param output: path below the output folder.
    """

    name: str
    kind: Literal["out", "skipped", "held"]
    reason: str = ""
    output: str | None = None


@dataclass
class Patient:
    """The inputs of one patient. It holds patient data: never log it.

    :param key: what tells the patient from others.
    :param subject: who the patient becomes.
    :param studies: StudyInstanceUID of each input, by its path.
    :param identities: by StudyInstanceUID, where an identity store says who the patient becomes.
    """

    key: str
    patient_id: str
    subject: str
    tasks: list[Task] = field(default_factory=list)
    evidence: Evidence = field(default_factory=Evidence)
    studies: dict[str, str] = field(default_factory=dict)
    issuer: str = ""
    identities: dict[str, Identity] = field(default_factory=dict)

    def uids(self, usual: UidMap) -> UidMap:
        """Return what makes this patient's new UIDs."""
        return next((identity.uids for identity in self.identities.values()), usual)
