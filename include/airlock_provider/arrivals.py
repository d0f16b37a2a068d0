"""What the arrivals DAG does: studies that arrived are routed, and those that grew are asked for again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from airlock.errors import AirlockError, PeerUnavailable
from airlock.identity.keys import KeyRing
from airlock.ledger import TransferSummary
from airlock.quiet import guarded
from airlock.request.again import ask_again
from airlock.settings import Settings, load_settings
from airlock.transfer import Transfer, open_ledger
from airlock_provider.context import source_of

log = logging.getLogger(__name__)


def route_studies() -> dict[str, int]:
    """Write request files for batch folders, and for what arrived and belongs to a project by itself; return counts."""
    from airlock.intake.batch import take_batches
    from airlock.intake.route import route_arrived

    settings = load_settings()
    with guarded():
        ledger, keys = open_ledger(settings), KeyRing.load(settings.key_path)
        batches = take_batches(settings, ledger, keys)
        result = route_arrived(settings, ledger, keys)
    for reason, count in (*batches.refused.items(), *result.refused.items()):
        log.warning("%d not requested: %s", count, reason)
    refused = sum(result.refused.values()) + sum(batches.refused.values())
    return {
        "batches": len(batches.transfers),
        "requested": len(result.transfers),
        "known": result.known,
        "refused": refused,
    }


def ask_for_late_series() -> dict[str, int]:
    """Ask again for the transfers whose study has grown at its source; return how many, and how many instances.

    Those are looked at that ended within `AIRLOCK_ROUTE_DAYS`. One that cannot be read doesn't disturb the others.
    """
    from airlock.retrieve.late import SENT

    settings = load_settings()
    now = datetime.now(UTC)
    transfers = instances = 0
    with guarded():
        ledger = open_ledger(settings)
        silent: set[str] = set()
        for summary in ledger.transfers(states=SENT, finished_since=now - timedelta(days=settings.route_days)):
            try:
                late = _late(summary, settings, now, silent)
                if late:
                    ask_again(summary.id, "late", ledger, settings)
            except AirlockError as error:
                log.warning("%s: its study could not be compared: %s", summary.id, error)
                continue
            if late:
                log.info("%s: %d instances came after it was sent; it is sent again.", summary.id, late)
                transfers, instances = transfers + 1, instances + late
    return {"transfers": transfers, "instances": instances}


def _late(summary: TransferSummary, settings: Settings, now: datetime, silent: set[str]) -> int:
    """Count the late instances of a transfer.

    :param silent: PACSs that did not answer; they are not asked again in this look.
    """
    from airlock.retrieve.late import is_due, late_instances
    from airlock.retrieve.sources import method_of

    transfer = Transfer.open(summary.id, settings)
    if method_of(transfer) == "raw":
        return late_instances(transfer)
    if not is_due(transfer, summary, now):
        return 0
    peer = source_of(transfer)
    if peer is None or peer.name in silent:
        return 0
    try:
        return late_instances(transfer, peer)
    except PeerUnavailable:
        silent.add(peer.name)
        raise
