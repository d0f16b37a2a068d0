"""C-FIND in the Study Root information model (PS3.4 annex C): what a peer holds of a study."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pydicom import Dataset
from pynetdicom import build_context
from pynetdicom.association import Association

from airlock.dicomio.association import associate, no_answer
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import STUDY_ROOT_FIND
from airlock.errors import AssociationRejected, PeerUnavailable

_PENDING = (0xFF00, 0xFF01)


@dataclass(frozen=True)
class FoundStudy:
    """A study that a peer holds.

    :param instances: how many instances it says the study has; None when it doesn't say.
    """

    instances: int | None


@dataclass(frozen=True, repr=False)
class FoundInstance:
    """An instance that a peer holds. Its repr shows no UID.

    :param sop_class_uid: None when the peer doesn't say (the key is optional).
    """

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str | None


def find_study(peer: Peer, study_uid: str) -> FoundStudy | None:
    """Ask a peer for a study, at study level.

    :raises PeerUnavailable: no answer, or the peer is busy.
    :raises AssociationRejected: the peer refuses us or the query.
    :raises AssociationAborted: the association ended before the answer.
    """
    with _querying(peer) as association:
        answers = list(_ask(peer, association, _query("STUDY", study_uid, NumberOfStudyRelatedInstances="")))
    # Some peers answer with more than was asked for.
    matching = [answer for answer in answers if _uid(answer, "StudyInstanceUID") in ("", study_uid)]
    return FoundStudy(_count(matching[0])) if matching else None


def find_instances(peer: Peer, study_uid: str) -> dict[str, FoundInstance]:
    """Ask a peer for the instances of a study, by SOPInstanceUID.

    Goes from series to series, because a hierarchical query is the one that every peer must support.
    Raises as :func:`find_study`.
    """
    found: dict[str, FoundInstance] = {}
    with _querying(peer) as association:
        query = _query("SERIES", study_uid, SeriesInstanceUID="")
        answers = list(_ask(peer, association, query))
        series = {_uid(a, "SeriesInstanceUID") for a in answers if _uid(a, "StudyInstanceUID") in ("", study_uid)}
        for series_uid in sorted(series - {""}):
            query = _query("IMAGE", study_uid, SeriesInstanceUID=series_uid, SOPInstanceUID="", SOPClassUID="")
            for answer in _ask(peer, association, query):
                sop_uid = _uid(answer, "SOPInstanceUID")
                belongs = _uid(answer, "StudyInstanceUID") in ("", study_uid)
                if sop_uid and belongs and _uid(answer, "SeriesInstanceUID") in ("", series_uid):
                    found[sop_uid] = FoundInstance(series_uid, sop_uid, _uid(answer, "SOPClassUID") or None)
    return found


def _querying(peer: Peer) -> AbstractContextManager[Association]:
    return associate(peer, [build_context(STUDY_ROOT_FIND)])


def _query(level: str, study_uid: str, **keys: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    query.StudyInstanceUID = study_uid
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    return query


def _ask(peer: Peer, association: Association, query: Dataset) -> Iterator[Dataset]:
    since = time.monotonic()
    for status, answer in association.send_c_find(query, STUDY_ROOT_FIND):
        if "Status" not in status:
            raise no_answer(peer, since)
        since = time.monotonic()
        if status.Status in _PENDING:
            if answer is None:
                raise PeerUnavailable(f"{peer.name} answers C-FIND with something that cannot be decoded.")
            yield answer
        elif status.Status != 0x0000:
            raise _refused(peer, status.Status)


def _refused(peer: Peer, status: int) -> PeerUnavailable | AssociationRejected:
    # PS3.4 table C.4-1: A700 out of resources, A900 identifier doesn't match, Cxxx unable to process, FE00 cancelled.
    if status == 0xFE00 or status >> 8 == 0xA7 or status >> 12 == 0xC:
        return PeerUnavailable(f"{peer.name} could not process a C-FIND (status 0x{status:04X}).")
    return AssociationRejected(
        f"{peer.name} refuses a C-FIND with status 0x{status:04X}. Check that it supports the Study Root model."
    )


def _uid(answer: Dataset, keyword: str) -> str:
    return str(answer.get(keyword) or "").strip(" \0")


def _count(answer: Dataset) -> int | None:
    try:
        return int(answer.get("NumberOfStudyRelatedInstances"))
    except (TypeError, ValueError):
        return None
