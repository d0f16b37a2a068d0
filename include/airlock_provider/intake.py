"""What the intake, REDCap and redrive DAGs do, apart from starting runs."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airlock.disk import has_room
from airlock.identity.keys import KeyRing
from airlock.ledger import Asked, Ledger, TransferState, account
from airlock.quiet import guarded
from airlock.request.again import again_of, has_begun
from airlock.request.archive import archive_duplicate, reject
from airlock.request.drop import Accepted, Rejected, accept, clear, settled_files, take
from airlock.request.store import StoredRequest
from airlock.settings import load_settings
from airlock.transfer import open_ledger

log = logging.getLogger(__name__)

# More wait for the next look.
MAX_FILES = 500
PRIORITIES = {"high": 0, "normal": 1, "low": 2}


@dataclass(frozen=True)
class Start:
    """A run that is to be started.

    :param again: begin an existing run again, instead of leaving it alone.
    """

    run_id: str
    transfer_id: str
    again: bool = False


def read_requests() -> list[dict[str, Any]]:
    """Take every settled file of the drop folder.

    Files that are not valid requests are moved to the failed archive with the reason beside them. The files of valid
    ones stay until their run exists.

    :returns: of each :class:`Start` its fields, by priority, then oldest first.
    """
    settings = load_settings()
    with guarded():
        if not has_room(settings):
            log.warning("Too little room (AIRLOCK_MIN_FREE_GIGABYTES): the requests wait.")
            return []
        ledger = open_ledger(settings)
        runs: dict[str, tuple[int, dict[str, Any]]] = {}
        for file in settled_files(settings.drop_folder, settings.settle_seconds)[: max(MAX_FILES, settings.max_starts)]:
            if again := again_of(file):
                _take_again(again, file, ledger, runs)
                continue
            taken = take(file, settings)
            if isinstance(taken, Accepted):
                runs.setdefault(taken.transfer_id, (PRIORITIES[taken.priority], _start(taken.transfer_id)))
            elif isinstance(taken, Rejected):
                reject(settings.proc_folder, file, taken.reason)
                log.error(
                    "Rejected a request file: %s It was moved to transfers_fail, the reason beside it.", taken.reason
                )
        chosen = [run for _, run in sorted(runs.values(), key=lambda item: item[0])][: settings.max_starts]
        log.info("%d requests, %d of them start now", len(runs), len(chosen))
        return chosen


def _take_again(transfer_id: str, file: Path, ledger: Ledger, runs: dict[str, tuple[int, dict[str, Any]]]) -> None:
    """Take a file that asks for a transfer again; what is running, or not known, is not begun a second time."""
    summary = ledger.find(transfer_id)
    if summary is None or summary.state is TransferState.RUNNING:
        log.warning("A transfer was asked for again that is running, or not known: left alone.")
        file.unlink(missing_ok=True)
        return
    runs[transfer_id] = (PRIORITIES["normal"], _start(summary.run_id or transfer_id, transfer_id, again=True))


def _start(run_id: str, transfer_id: str = "", *, again: bool = False) -> dict[str, Any]:
    """Return what XCom carries of a :class:`Start`.

    :param transfer_id: when it is not the run's id.
    """
    return asdict(Start(run_id, transfer_id or run_id, again))


def archive_requests(started: list[str]) -> None:
    """Remove from the drop folder the files whose runs exist. Their requests are kept by transfer id.

    :param started: transfer ids whose runs were started or existed before.
    """
    settings = load_settings()
    with guarded():
        known = set(started)
        ledger = open_ledger(settings)
        for file in settled_files(settings.drop_folder, settings.settle_seconds):
            if again := again_of(file):
                # Its run may still have run, and was left alone: then it is tried again.
                if ledger.find(again) is None or has_begun(again, file, ledger):
                    file.unlink(missing_ok=True)
                continue
            taken = take(file, settings)
            if not isinstance(taken, Accepted) or taken.transfer_id not in known:
                continue
            summary = ledger.find(taken.transfer_id)
            if summary is not None and summary.arrived_at < _written_at(file):
                ledger.note_asked(taken.transfer_id, Asked("file", account(file.stat().st_uid)))
                archive_duplicate(settings.proc_folder, file)
            else:
                clear(taken)


def _written_at(file: Path) -> datetime:
    """When a file was written, as the ledger dates the request of the first one; a later one is a duplicate."""
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def requests_from_redcap() -> list[dict[str, Any]]:
    """Accept the transfers that REDCap asks for.

    :returns: of each :class:`Start` its fields, oldest request first.
    """
    from airlock.redcap.poll import poll
    from airlock_provider.hooks.redcap import RedcapHook

    settings = load_settings()
    with guarded():
        if settings.redcap_connection is None:
            log.warning("AIRLOCK_REDCAP_CONNECTION names no connection: there is no REDCap to ask.")
            return []
        if not has_room(settings):
            log.warning("Too little room (AIRLOCK_MIN_FREE_GIGABYTES): REDCap's requests wait.")
            return []
        client = RedcapHook(settings.redcap_connection).client
        ledger = open_ledger(settings)
        found = poll(client, ledger, KeyRing.load(settings.key_path))
        for wanted in found.wanted[: settings.max_starts]:
            stored = StoredRequest(wanted.request.file_name, wanted.content, datetime.now(UTC))
            asked = Asked("REDCap")
            _, known = accept(wanted.request, stored, settings, asked)
            if known and wanted.again:
                ledger.note_asked(wanted.transfer_id, asked)
        again = sum(wanted.again for wanted in found.wanted)
        log.info(
            "REDCap asks for %d transfers, %d of them again; %d rows refused", len(found.wanted), again, found.refused
        )
        return [_start(wanted.transfer_id, again=wanted.again) for wanted in found.wanted[: settings.max_starts]]


def requests_to_redrive(start: datetime, end: datetime, mode: str) -> list[dict[str, Any]]:
    """Return the runs of the requests that arrived in `[start, end)`.

    :param mode: `missing` starts those that have no run, `redo` starts every one again.
    :returns: of each :class:`Start` its fields, oldest first.
    """
    with guarded():
        found = open_ledger(load_settings()).transfers(since=start, until=end)
        log.info("%d requests arrived between %s and %s", len(found), start.isoformat(), end.isoformat())
        return [_start(summary.run_id or summary.id, summary.id, again=mode == "redo") for summary in found]
