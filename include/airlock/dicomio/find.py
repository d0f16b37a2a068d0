"""C-FIND in the Study Root information model (PS3.4 annex C): which studies a peer holds, and what of each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pydicom import Dataset
from pynetdicom import build_context
from pynetdicom.association import Association

from airlock.dicomio.association import associate, no_answer
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import STUDY_ROOT_FIND
from airlock.errors import AirlockError, AssociationRejected, PeerUnavailable

_PENDING = (0xFF00, 0xFF01)
# Of a study that is asked for by its UID, it is known.
_UNIQUE_KEYS = {"STUDY": "", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass(frozen=True, repr=False)
class FoundStudy:
    """A study that a peer holds. Its repr shows no UID.

    :param instances: how many instances it says the study has; None when it doesn't say.
    """

    instances: int | None
    study_instance_uid: str = ""


@dataclass(frozen=True, repr=False)
class StudyKeys:
    """What a study is searched by; what is empty doesn't count. Its repr shows none of it.

    :param study_date: `YYYYMMDD`, or a range of them as PS3.4 section C.2.2.2.5 writes it.
    """

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    study_date: str = ""

    def query(self) -> dict[str, str]:
        """Return the keys by attribute keyword, empty ones for universal matching."""
        return {
            "StudyInstanceUID": self.study_instance_uid,
            "AccessionNumber": self.accession_number,
            "PatientID": self.patient_id,
            "StudyDate": self.study_date,
        }

    def match(self, answer: Dataset) -> bool:
        """Whether an answer is about what was asked for. Some peers match parts of a value, or ignore a key."""
        date = text_of(answer, "StudyDate")
        first, dash, last = self.study_date.partition("-")
        in_range = not date or not self.study_date or (first <= date <= (last or "9") if dash else date == first)
        return in_range and self.agree({name: text_of(answer, name) for name in self.query()})

    def agree(self, told: Mapping[str, str]) -> bool:
        """Whether the values that an answer tells are those that were asked for, by attribute keyword.

        Who is asked for a study by its UID need not repeat it. An answer without the other keys comes from a peer that
        ignored them, and is about anybody.
        """
        wanted = self.query()
        told_of = told["StudyInstanceUID"] or self.study_instance_uid
        return self.study_instance_uid in ("", told_of) and all(
            wanted[name] in ("", told[name]) for name in ("AccessionNumber", "PatientID")
        )


@dataclass(frozen=True, repr=False)
class Listing:
    """What a peer tells of a study. Its repr shows no UID.

    :param instances: those that it lists, by SOPInstanceUID.
    :param series: every series, with the number of instances that the peer tells for it; None when it doesn't.
    :param told: number of instances that the peer tells for the study; None when it doesn't.
    """

    instances: dict[str, FoundInstance]
    series: dict[str, int | None]
    told: int | None = None

    @property
    def expected(self) -> int:
        """How many instances there must be: the largest number that the peer gives in any way."""
        counted: dict[str, int] = {}
        for instance in self.instances.values():
            counted[instance.series_instance_uid] = counted.get(instance.series_instance_uid, 0) + 1
        by_series = sum(max(counted.get(uid, 0), number or 0) for uid, number in self.series.items())
        return max(len(self.instances), by_series, self.told or 0)

    @property
    def whole(self) -> bool:
        """Whether every instance is listed: no limit on answers cut the list, and there is an IMAGE level."""
        return len(self.instances) >= self.expected


@dataclass(frozen=True, repr=False)
class FoundInstance:
    """An instance that a peer holds. Its repr shows no UID.

    :param sop_class_uid: None when the peer doesn't say (the key is optional).
    """

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str | None


def find_studies(peer: Peer, keys: StudyKeys) -> list[FoundStudy]:
    """Ask a peer for studies, at study level; return those that match exactly, in order of UID.

    :raises PeerUnavailable: no answer, or the peer is busy.
    :raises AssociationRejected: the peer refuses us or the query.
    :raises AssociationAborted: the association ended before the answer.
    """
    with _querying(peer) as association:
        query = _query("STUDY", NumberOfStudyRelatedInstances="", **keys.query())
        answers = [answer for answer in _ask(peer, association, query) if keys.match(answer)]
    found = {text_of(a, "StudyInstanceUID") or keys.study_instance_uid: a for a in answers}
    return [FoundStudy(_count(found[uid], "NumberOfStudyRelatedInstances"), uid) for uid in sorted(found) if uid]


def find_instances(peer: Peer, study_uid: str) -> dict[str, FoundInstance]:
    """Ask a peer for the instances of a study, by SOPInstanceUID. Raises as :func:`find_studies`."""
    return list_study(peer, study_uid, count=False).instances


def list_study(peer: Peer, study_uid: str, *, count: bool = True) -> Listing:
    """Ask a peer for everything it tells of a study.

    Goes from series to series, because a hierarchical query is the one that every peer must support.

    :param count: ask for the numbers of instances too, which show a list that was cut off; a peer that tells a number
        may then lack the IMAGE level.
    Raises as :func:`find_studies`.
    """
    instances: dict[str, FoundInstance] = {}
    with _querying(peer) as association:
        told = _told(peer, association, study_uid) if count else None
        query = _query("SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", NumberOfSeriesRelatedInstances="")
        answers = [a for a in _ask(peer, association, query) if _of(a, "StudyInstanceUID", study_uid)]
        series = {text_of(a, "SeriesInstanceUID"): _count(a, "NumberOfSeriesRelatedInstances") for a in answers}
        series.pop("", None)
        for series_uid in sorted(series):
            try:
                instances |= _list_series(peer, association, study_uid, series_uid)
            except AirlockError:
                # Not every peer answers at this level; with a number, what comes can still be counted.
                if not association.is_established or not count or not (told or series[series_uid]):
                    raise
    return Listing(instances, series if count else dict.fromkeys(series), told)


def has_instance(peer: Peer, study_uid: str, wanted: Sequence[tuple[str, str]]) -> set[str]:
    """Ask a peer for instances one by one, each by its UIDs; return the SOPInstanceUIDs of those that it has.

    For a peer that limits how many answers it gives to a query for all of a series.

    :param wanted: SeriesInstanceUID and SOPInstanceUID of each.
    Raises as :func:`find_studies`.
    """
    found: set[str] = set()
    with _querying(peer) as association:
        for series_uid, sop_uid in wanted:
            keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": sop_uid}
            answers = list(_ask(peer, association, _query("IMAGE", **keys)))
            if any(text_of(answer, "SOPInstanceUID") == sop_uid for answer in answers):
                found.add(sop_uid)
    return found


def _told(peer: Peer, association: Association, study_uid: str) -> int | None:
    query = _query("STUDY", StudyInstanceUID=study_uid, NumberOfStudyRelatedInstances="")
    answers = [a for a in _ask(peer, association, query) if _of(a, "StudyInstanceUID", study_uid)]
    return _count(answers[0], "NumberOfStudyRelatedInstances") if answers else None


def _list_series(peer: Peer, association: Association, study_uid: str, series_uid: str) -> dict[str, FoundInstance]:
    keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": "", "SOPClassUID": ""}
    found: dict[str, FoundInstance] = {}
    for answer in _ask(peer, association, _query("IMAGE", **keys)):
        sop_uid = text_of(answer, "SOPInstanceUID")
        belongs = _of(answer, "StudyInstanceUID", study_uid) and _of(answer, "SeriesInstanceUID", series_uid)
        if sop_uid and belongs:
            found[sop_uid] = FoundInstance(series_uid, sop_uid, text_of(answer, "SOPClassUID") or None)
    return found


def _querying(peer: Peer) -> AbstractContextManager[Association]:
    return associate(peer, [build_context(STUDY_ROOT_FIND)])


def _query(level: str, **keys: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    return query


def _ask(peer: Peer, association: Association, query: Dataset) -> Iterator[Dataset]:
    since, nonsense = time.monotonic(), False
    key = _UNIQUE_KEYS[query.QueryRetrieveLevel]
    for status, answer in association.send_c_find(query, STUDY_ROOT_FIND):
        if "Status" not in status:
            raise no_answer(peer, since)
        since = time.monotonic()
        if status.Status in _PENDING:
            if answer is None or (key and not text_of(answer, key)):
                nonsense = True
            else:
                yield answer
        elif status.Status != 0x0000:
            raise _refused(peer, status.Status)
    # Not before the last one has come: the next query would be given the rest.
    if nonsense:
        raise PeerUnavailable(f"{peer.name} answers C-FIND with something that cannot be decoded, or has no UID.")


def _refused(peer: Peer, status: int) -> PeerUnavailable | AssociationRejected:
    # PS3.4 table C.4-1: A700 out of resources, A900 identifier doesn't match, Cxxx unable to process, FE00 cancelled.
    if status == 0xFE00 or status >> 8 == 0xA7 or status >> 12 == 0xC:
        return PeerUnavailable(f"{peer.name} could not process a C-FIND (status 0x{status:04X}).")
    return AssociationRejected(
        f"{peer.name} refuses a C-FIND with status 0x{status:04X}. Check that it supports the Study Root model."
    )


def text_of(answer: Dataset, keyword: str) -> str:
    """Return a value of an answer as text without padding; empty when it is not there."""
    return str(answer.get(keyword) or "").strip(" \0")


def _of(answer: Dataset, keyword: str, value: str) -> bool:
    return text_of(answer, keyword) in ("", value)


def _count(answer: Dataset, keyword: str) -> int | None:
    try:
        return int(answer.get(keyword))
    except (TypeError, ValueError):
        return None
