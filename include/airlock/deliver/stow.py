"""STOW-RS (PS3.18 section 10.5): files go out as they are, several to a request."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from airlock.dicomio.header import read_header
from airlock.dicomio.multipart import FilesBody
from airlock.dicomio.store import Outcome, Outgoing, is_stored
from airlock.dicomio.web import WebClient
from airlock.dicomio.webpeer import WebPeer

MOST_FILES = 100
MOST_BYTES = 256 << 20
_STORED, _FAILED = "00081199", "00081198"
_SOP, _WARNING, _REASON = "00081155", "00081196", "00081197"
_PROCESSING_FAILURE = 0x0110  # PS3.18 table I.2-2
_UNSAID_WARNING = 0xB000
_PACED_BYTES = 1 << 15


def store_files(
    peer: WebPeer,
    files: Sequence[Outgoing],
    before: Callable[[str], None] = lambda _: None,
    pace: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Send files and yield what became of each, as the answers come.

    The service's reasons are those of C-STORE (PS3.18 table I.2-2), and so are the statuses of the outcomes.

    :param before: called with the id of a file just before the request that it is in.
    :param pace: called with a number of bytes just before they are sent; it returns when they may be.
    :raises PeerUnavailable: nobody answers, or the service cannot do it now.
    :raises AssociationRejected: the service refuses us.
    :raises AssociationAborted: an answer ended in the middle; files without an outcome may have arrived.
    """
    with WebClient(peer) as client:
        for batch in _batches(files):
            for file in batch:
                before(file.id)
            boundary = f"airlock-{secrets.token_hex(16)}"
            body = FilesBody((Path(file.path) for file in batch), boundary)
            status, answer = client.store(body if pace is None else _Paced(body, pace), boundary)
            told = _statuses(answer)
            for file in batch:
                sop_uid = read_header(Path(file.path)).media_sop_instance_uid
                yield Outcome(file.id, told.get(sop_uid, _untold(status, told)))


class _Paced:
    """A body of which each piece waits until it may go."""

    def __init__(self, body: FilesBody, pace: Callable[[int], None]) -> None:
        self._body = body
        self._pace = pace

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            for start in range(0, len(piece), _PACED_BYTES):
                part = piece[start : start + _PACED_BYTES]
                self._pace(len(part))
                yield part


def _batches(files: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for file in files:
        own = Path(file.path).stat().st_size
        if batch and (len(batch) >= MOST_FILES or size + own > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += own
    if batch:
        yield batch


def _statuses(answer: Mapping[str, Any]) -> dict[str, int]:
    """Return what the service says of each instance: 0 stored, a warning stored too, else a failure."""
    stored = {_first(item, _SOP): _first(item, _WARNING, 0) for item in _items(answer, _STORED)}
    failed = {_first(item, _SOP): _first(item, _REASON, _PROCESSING_FAILURE) for item in _items(answer, _FAILED)}
    statuses = {uid: status if is_stored(status) else _UNSAID_WARNING for uid, status in stored.items()}
    # A failure never counts as stored, whatever number comes with it.
    failures = {uid: _PROCESSING_FAILURE if is_stored(s) else s for uid, s in failed.items()}
    return statuses | failures


def _untold(status: int, told: Mapping[str, int]) -> int:
    """Return the status of an instance that the answer doesn't name. Only a bare success speaks for all."""
    return 0 if status == HTTPStatus.OK and not told else _PROCESSING_FAILURE


def _items(answer: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _first(item: Mapping[str, Any], tag: str, default: Any = "") -> Any:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value = values[0] if isinstance(values, list) and values else default
    if isinstance(default, int):
        return value if isinstance(value, int) else default
    return str(value)
