"""Reads the answers to a C-MOVE or C-GET to the last one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from pydicom import Dataset

from airlock.dicomio.association import no_answer
from airlock.dicomio.peer import Peer
from airlock.dicomio.retrieval import RetrievalResult

_PENDING = (0xFF00, 0xFF01)


def last_answer(
    peer: Peer, answers: Iterator[tuple[Dataset, Dataset | None]], arrived_at: Callable[[], float] = lambda: 0.0
) -> RetrievalResult:
    """Return the final answer.

    :param arrived_at: `time.monotonic()` of the last instance that came, which is a sign of life too.
    :raises PeerUnavailable: when the peer fell silent.
    :raises AssociationAborted: when the association ended first.
    """
    since = time.monotonic()
    for status, _ in answers:
        if "Status" not in status:
            raise no_answer(peer, max(since, arrived_at()))
        since = time.monotonic()
        if status.Status not in _PENDING:
            return RetrievalResult(
                status.Status,
                _count(status, "NumberOfCompletedSuboperations") + _count(status, "NumberOfWarningSuboperations"),
                _count(status, "NumberOfFailedSuboperations"),
            )
    raise no_answer(peer, since)


def _count(status: Dataset, keyword: str) -> int:
    return int(status.get(keyword) or 0)
