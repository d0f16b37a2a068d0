"""What a worker is given to de-identify instances with, and what it tells of each. Importing this costs nothing."""

from __future__ import annotations

from collections.abc import Mapping

from airlock.deid.terms import Terms
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airlock.deid.policy import Policy
    from airlock.identity.evidence import Evidence
    from airlock.identity.keys import KeyRing
    from airlock.identity.uids import UidMap

EngineName = Literal["stream", "plain"]
_NO_ACCESSIONS: Mapping[str, str] = {}


class Recipe(NamedTuple):
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
    policy: Policy = Terms()
    uids: UidMap | None = None
    accessions: Mapping[str, str] = _NO_ACCESSIONS
    study_id: str | None = None

    def __repr__(self) -> str:
        return "<Recipe>"


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
