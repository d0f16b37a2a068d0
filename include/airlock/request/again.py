"""A transfer again: a file in the drop folder that names a transfer id instead of a study.

Whatever wants a transfer that has ended to be done again writes `<transfer id>.again.json`. The intake starts its run
from the beginning, and removes the file. It holds no patient data.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from airlock.errors import InvalidRequest, NotPossibleNow
from airlock.ledger import Ledger, TransferState
from airlock.request.archive import no_file_names
from airlock.request.store import RequestStore
from airlock.settings import Settings
from airlock.workspace import write_atomically

SUFFIX = ".again.json"
STEP, BEGUN = "request", "begun again"
_ID = re.compile(r"transfer-[A-Za-z0-9_-]{1,64}")


def ask_again(transfer_id: str, reason: str, ledger: Ledger, settings: Settings, by: str = "") -> Path:
    """Ask for a transfer again, from the beginning.

    :param reason: one word for its history, such as `late`.
    :param by: account of the person who asks; empty when nobody does.
    :raises InvalidRequest: when there is no such transfer, or its request is not kept.
    :raises NotPossibleNow: when it has not ended.
    :raises RetryableError: when the file cannot be written.
    """
    summary = ledger.find(transfer_id)
    if summary is None:
        raise InvalidRequest("The ledger knows no such transfer. `airlock status` lists the latest ones.")
    # What waits for its first run may have lost it; only one that runs must not be begun twice.
    if summary.state is TransferState.RUNNING:
        raise NotPossibleNow(f"{transfer_id} is running. Let it end, or cancel it first.")
    RequestStore(settings.proc_folder).get(transfer_id)
    path = settings.drop_folder / f"{transfer_id}{SUFFIX}"
    if path.exists():
        return path
    with no_file_names("The request could not be written"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, json.dumps({"again": transfer_id, "reason": reason}) + "\n")
    ledger.event(transfer_id, STEP, "again", reason=reason, **({"by": by} if by else {}))
    return path


def note_begun(transfer_id: str, ledger: Ledger) -> None:
    """Note that a transfer is begun again now."""
    ledger.event(transfer_id, STEP, BEGUN)


def has_begun(transfer_id: str, path: Path, ledger: Ledger) -> bool:
    """Whether a transfer was begun again since a file asked for it."""
    try:
        asked_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return True
    events = ledger.events(transfer_id)
    return any((step, kind) == (STEP, BEGUN) and at >= asked_at for at, step, kind, _ in events)


def again_of(path: Path) -> str | None:
    """Return the transfer that a dropped file asks for again; None when it is a request of its own.

    Only the name counts, so that nothing else can be taken for one.
    """
    name = path.name.removesuffix(SUFFIX)
    return name if path.name.endswith(SUFFIX) and _ID.fullmatch(name) else None
