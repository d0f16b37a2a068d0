"""What the arrivals DAG does: studies that arrived are routed, and those that grew are asked for again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from airlock.errors import AirlockError
from airlock.identity.keys import KeyRing
from airlock.quiet import guarded
from airlock.request.again import ask_again
from airlock.settings import load_settings
from airlock.transfer import Transfer, open_ledger

log = logging.getLogger(__name__)


def route_studies() -> dict[str, int]:
    """Write request files for what arrived and belongs to a project by itself; return counts."""
    from airlock.intake.route import route_arrived

    settings = load_settings()
    with guarded():
        result = route_arrived(settings, open_ledger(settings), KeyRing.load(settings.key_path))
    for reason, count in result.refused.items():
        log.warning("%d not routed: %s", count, reason)
    refused = sum(result.refused.values())
    return {"requested": len(result.transfers), "known": result.known, "refused": refused}


def ask_for_late_series() -> dict[str, int]:
    """Ask again for the transfers whose study has grown in the raw folder; return how many, and how many instances.

    Those are looked at that ended within `AIRLOCK_ROUTE_DAYS`. One that cannot be read doesn't disturb the others.
    """
    from airlock.retrieve.late import SENT, late_instances

    settings = load_settings()
    since = datetime.now(UTC) - timedelta(days=settings.route_days)
    transfers = instances = 0
    with guarded():
        ledger = open_ledger(settings)
        for summary in ledger.transfers(states=SENT, finished_since=since):
            try:
                late = late_instances(Transfer.open(summary.id, settings))
                if late:
                    ask_again(summary.id, "late", ledger, settings)
            except AirlockError as error:
                log.warning("%s: its study could not be compared: %s", summary.id, error)
                continue
            if late:
                log.info("%s: %d instances came after it was sent; it is sent again.", summary.id, late)
                transfers, instances = transfers + 1, instances + late
    return {"transfers": transfers, "instances": instances}
