"""The chain of a transfer's events: each carries a digest of itself and of all before it.

Whoever changes, removes or inserts an event afterwards breaks the chain; `airlock audit verify` finds the place. The
digest of the last event can be noted elsewhere, and then proves the whole history of a transfer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happened to a transfer.

    :param step: task or command that did it.
    :param detail: ids and counts.
    :param digest: SHA-256, hexadecimal.
    """

    at: datetime
    step: str
    kind: str
    detail: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class ChainReport:
    """What a look at the events of a transfer showed.

    :param events: how many there are.
    :param head: digest of the last one.
    :param problem: what is wrong; empty when nothing is.
    """

    transfer_id: str
    events: int
    head: str
    problem: str = ""


def link(previous: str, transfer_id: str, at: datetime, step: str, kind: str, detail: dict[str, Any]) -> str:
    """Return the digest of an event.

    :param previous: digest of the event before it; empty for the first.
    :param at: aware time.
    """
    content = [previous, transfer_id, at.astimezone(UTC).isoformat(), step, kind, detail]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check(transfer_id: str, events: Iterable[Event], length: int, head: str) -> ChainReport:
    """Follow the chain of a transfer.

    :param length: how many events its row counts.
    :param head: digest of the last one, as its row has it.
    """
    previous, number = "", 0
    for number, event in enumerate(events, start=1):
        expected = link(previous, transfer_id, event.at, event.step, event.kind, event.detail)
        if event.digest != expected:
            return ChainReport(
                transfer_id, number, head, f"event {number} was changed, or events before it were changed or removed"
            )
        previous = event.digest
    if (number, previous) != (length, head):
        return ChainReport(transfer_id, number, head, f"{length} events were written and {number} are there")
    return ChainReport(transfer_id, number, head)
