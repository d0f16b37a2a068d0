"""The quarantine: instances that are held, by category, and what a person decides about them.

Nothing is shown but pseudonymous ids, categories and reasons. Every decision is an event of the transfer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from airlock.dicomio.header import Category
from airlock.errors import InvalidRequest
from airlock.ledger import InstanceState, Ledger, TransferState
from airlock.workspace import Workspace

STEP = "quarantine"
DROPPED = "dropped by a person"
LATER = "Held_Later"
"""Category of what a later step held: the text of the pixels, de-identification, verification, sending."""

_CHUNK = 1000
_BEGUN = (InstanceState.ACKNOWLEDGED, InstanceState.SENT)


@dataclass(frozen=True)
class Held:
    """A held instance.

    :param reason: free of patient data.
    """

    transfer: str
    id: str
    category: str
    reason: str


def category_of(reason: str) -> str:
    """Return the category that a reason begins with."""
    word = reason.partition(":")[0]
    return word if word in set(Category) else LATER


def held(ledger: Ledger, transfer_ids: Iterable[str], category: str | None = None) -> list[Held]:
    """Return the held instances of transfers.

    :param category: only this one.
    """
    found = [
        Held(transfer_id, instance.id, category_of(instance.reason or ""), instance.reason or "")
        for transfer_id in transfer_ids
        for instance in ledger.instances(transfer_id, InstanceState.HELD)
    ]
    return [one for one in found if category in (None, one.category)]


def released(ledger: Ledger, transfer_id: str) -> frozenset[str]:
    """Return the ids of the instances that a person let go on."""
    found: set[str] = set()
    for _, step, kind, detail in ledger.events(transfer_id):
        if step == STEP and kind == "released":
            found.update(detail["instances"])
    return frozenset(found)


def release(ledger: Ledger, workspace: Workspace, transfer_id: str, instance_ids: Collection[str], who: str) -> int:
    """Put held instances back to where screening finds them, with everything that was made of the others undone.

    The text of their pixels is searched for again, and so is every identifier in their output: a person's decision is
    about the rules of screening only.

    :param who: account that decided.
    :return: how many were held.
    :raises InvalidRequest: when the transfer runs, was withdrawn, or has begun to send.
    """
    _check_idle(ledger, transfer_id)
    states = {state for states in ledger.destinations(transfer_id).values() for state in states}
    if not states.isdisjoint(_BEGUN) or ledger.instances(transfer_id, *_BEGUN):
        raise InvalidRequest("This transfer has begun to send. Request a new transfer for what was held.")
    if not workspace.complete("incoming"):
        raise InvalidRequest("The files of this transfer are gone. Clear its whole run to begin again.")
    count = ledger.settle(transfer_id, instance_ids, InstanceState.RECEIVED, "")
    # What is ready was made without the released ones; later steps take what is received only.
    ready = [instance.id for instance in ledger.instances(transfer_id, InstanceState.READY)]
    ledger.settle(transfer_id, ready, InstanceState.RECEIVED, "", before=InstanceState.READY)
    workspace.remove("findings", "flagged", "rewritten", "deidentified")
    _tell(ledger, transfer_id, "released", instance_ids, who, count)
    return count


def drop(ledger: Ledger, transfer_id: str, instance_ids: Collection[str], who: str) -> int:
    """Leave held instances out for good; they count as skipped.

    :return: how many were held.
    :raises InvalidRequest: when the transfer runs, or was withdrawn.
    """
    _check_idle(ledger, transfer_id)
    count = ledger.settle(transfer_id, instance_ids, InstanceState.SKIPPED, DROPPED)
    _tell(ledger, transfer_id, "dropped", instance_ids, who, count)
    return count


def _check_idle(ledger: Ledger, transfer_id: str) -> None:
    summary = ledger.find(transfer_id)
    if summary is None:
        raise InvalidRequest("The ledger knows no such transfer. `airlock quarantine list` shows those that hold some.")
    if summary.state in (TransferState.WITHDRAWN, TransferState.CANCELLED):
        raise InvalidRequest(f"This transfer was {summary.state}. Request a new one.")
    if not summary.state.ended:
        raise InvalidRequest("This transfer is running. Wait until it has ended.")


def _tell(ledger: Ledger, transfer_id: str, kind: str, instance_ids: Collection[str], who: str, count: int) -> None:
    ids = sorted(instance_ids)
    for start in range(0, len(ids), _CHUNK):
        ledger.event(transfer_id, STEP, kind, by=who, count=count, instances=ids[start : start + _CHUNK])
