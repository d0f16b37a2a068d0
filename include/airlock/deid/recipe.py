"""What a worker is given to de-identify instances with, and what it tells of each. Importing this costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from airlock.deid.terms import Policy, Terms
from airlock.identity.evidence import Evidence
from airlock.identity.keys import KeyRing

if TYPE_CHECKING:
    from airlock.identity.uids import UidMap

EngineName = Literal["stream", "plain"]


@dataclass(frozen=True, repr=False)
class Recipe:
    """How the instances of one patient are de-identified. It holds patient data: never log it.

    :param days: offset of dates.
    :param policy: what the project says beyond edition and options.
    :param uids: original to new UIDs; made with `keys` when None.
    :param accessions: original to new accession numbers; others are treated as the profile says.
    :param study_id: of the output; made from the new StudyInstanceUID when None.
    :param engine: `plain` to have every file treated by the engine that the other one falls back to.
    """

    keys: KeyRing
    project: str
    subject: str
    event: str
    edition: str
    options: tuple[str, ...]
    days: int
    evidence: Evidence
    engine: EngineName = "stream"
    policy: Policy = field(default=Terms(), kw_only=True)
    uids: UidMap | None = field(default=None, kw_only=True)
    accessions: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    study_id: str | None = field(default=None, kw_only=True)


class Written(NamedTuple):
    """An instance that was written.

    :param path: below the output folder: its place, or the name that was asked for.
    :param place: `<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm` with the new UIDs.
    :param size: in bytes.
    :param unreadable_dates: dates that could not be moved and were emptied.
    """

    path: str
    place: str
    sop_class_uid: str
    sop_instance_uid: str
    size: int
    unreadable_dates: int
