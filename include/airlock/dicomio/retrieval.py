"""What to ask for, so that the instances that are missing come with as few requests as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset

from airlock.dicomio.find import FoundInstance

_INSTANCES_PER_REQUEST = 64
MAX_SUBOPERATIONS = 65535
"""Numbers of sub-operations are 16 bits wide (PS3.7 section 9.1.4.1)."""

Level = Literal["study", "series", "image"]


@dataclass(frozen=True, repr=False)
class Retrieval:
    """One C-MOVE or C-GET request: a study, a series of it, or instances of a series. Its repr shows no UID."""

    study_uid: str
    series_uid: str | None = None
    sop_uids: tuple[str, ...] = ()

    def identifier(self) -> Dataset:
        """Return the request's identifier (PS3.4 section C.4.2.1.4)."""
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE" if self.sop_uids else "SERIES" if self.series_uid else "STUDY"
        query.StudyInstanceUID = self.study_uid
        if self.series_uid:
            query.SeriesInstanceUID = self.series_uid
        if self.sop_uids:
            query.SOPInstanceUID = list(self.sop_uids) if len(self.sop_uids) > 1 else self.sop_uids[0]
        return query


@dataclass(frozen=True)
class RetrievalResult:
    """The last answer to a request: its status, and the sub-operations that it counts."""

    status: int
    completed: int = 0
    failed: int = 0


def plan(
    study_uid: str,
    expected: Mapping[str, FoundInstance],
    missing: Collection[str],
    *,
    level: Level = "study",
    singly: bool = False,
) -> Iterator[Retrieval]:
    """Yield the requests for what is missing: the study, whole series, or lists of instances.

    A request never asks for more instances than the answer can count.

    :param level: the highest level to ask at.
    :param singly: ask for one instance at a time, as some peers don't understand lists.
    """
    if level == "study" and len(missing) == len(expected) <= MAX_SUBOPERATIONS and not singly:
        yield Retrieval(study_uid)
        return
    sizes: dict[str, int] = defaultdict(int)
    for instance in expected.values():
        sizes[instance.series_instance_uid] += 1
    wanted: dict[str, list[str]] = defaultdict(list)
    for sop_uid in sorted(missing):
        wanted[expected[sop_uid].series_instance_uid].append(sop_uid)
    for series_uid, sop_uids in sorted(wanted.items()):
        if level != "image" and len(sop_uids) == sizes[series_uid] <= MAX_SUBOPERATIONS and not singly:
            yield Retrieval(study_uid, series_uid)
            continue
        step = 1 if singly else _INSTANCES_PER_REQUEST
        for start in range(0, len(sop_uids), step):
            yield Retrieval(study_uid, series_uid, tuple(sop_uids[start : start + step]))
