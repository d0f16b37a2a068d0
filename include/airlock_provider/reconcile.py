"""What the DAG `reconcile` does: each destination is compared with the ledger, and what differs is shown."""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.errors import HeldError, PolicyError
from airlock.ledger import UNNAMED
from airlock.project import DestinationPolicy, load_policies
from airlock.quiet import guarded
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger
from airlock.workspace import write_atomically

if TYPE_CHECKING:
    from airlock.deliver.reconcile import StudyRow

log = logging.getLogger(__name__)

FOLDER = "reconcile"
"""Below `AIRLOCK_HOME`: a folder per destination with a CSV per day."""
KEPT = 100
"""How many of them are kept."""
WRONG = ("missing", "partial", "not deleted")
"""Verdicts that somebody must act on; what is extra there may have come from elsewhere, and is told."""


def destinations() -> list[dict[str, str]]:
    """Return every destination of the projects' policies once, by the name of its connection.

    :raises PolicyError: when a policy is not valid, or two say different methods for one connection.
    """
    settings = load_settings()
    methods: dict[str, str] = {}
    with guarded():
        for policy in load_policies(settings.projects).values():
            for target in policy.targets:
                if methods.setdefault(target.connection, target.method) != target.method:
                    raise PolicyError(
                        f"Projects send to {target.connection} by {methods[target.connection]} and by {target.method}. "
                        "A connection is of one type; correct the policies."
                    )
        for name in open_ledger(settings).destinations():
            if name not in (UNNAMED, *methods):
                log.warning("No project sends to %s any more: what went there before is not compared.", name)
    return [{"destination": name, "method": method} for name, method in sorted(methods.items())]


def reconcile_destination(destination: str, method: str, now: datetime | None = None) -> dict[str, int]:
    """Compare what was sent to a destination in the last days with what it shows; return the studies by verdict.

    The rows go to `AIRLOCK_HOME/reconcile/<destination>/<date>.csv`, by new UIDs.

    :raises HeldError: when something that was sent is not there, or something that was withdrawn is.
    :raises PeerUnavailable: when it doesn't answer; it is tried again.
    """
    from airlock.deliver.reconcile import reconcile, shown_by
    from airlock_provider.context import destination_peer

    settings, now = load_settings(), now or datetime.now(UTC)
    with guarded():
        target = DestinationPolicy.model_validate({"connection": destination, "method": method})
        days = settings.reconcile_days
        since = None if math.isinf(days) else now - timedelta(days=days)
        shows = shown_by(destination_peer(target))
        rows = list(reconcile(open_ledger(settings), shows, destination=destination, since=since))
        table = _write(settings, destination, now, rows)
    counts = Counter(row.verdict.value for row in rows)
    log.info("%s: %s. See %s", destination, _words(counts) or "nothing was sent in this time", table)
    for row in rows:
        if not row.agrees:
            # Without its UID: where a project keeps UIDs, that is the patient's own. The table has it.
            numbers = (len(row.missing), len(row.extra), " ".join(row.transfers))
            log.warning("A study is %s: %d missing, %d extra; transfers %s", row.verdict.value, *numbers)
    wrong = {verdict: count for verdict, count in counts.items() if verdict in WRONG}
    if wrong:
        raise HeldError(
            f"{destination} does not show what it should: {_words(wrong)}. {table} names every instance. Look for them "
            "there; what is lost is sent again when the transfer's run is cleared, what is to go somebody must delete."
        )
    return dict(counts)


def _write(settings: Settings, destination: str, now: datetime, rows: list[StudyRow]) -> Path:
    from airlock.deliver.reconcile import write_rows

    # Two names may look alike when they are made safe for a folder's name.
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", destination)[:40]
    if safe != destination:
        safe += f".{hashlib.sha256(destination.encode()).hexdigest()[:8]}"
    folder = settings.home.absolute() / FOLDER / safe
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stream = StringIO(newline="")
    write_rows(rows, stream)
    table = folder / f"{now.astimezone():%Y-%m-%d}.csv"
    write_atomically(table, stream.getvalue())
    for old in sorted(folder.glob("*.csv"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return table


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
