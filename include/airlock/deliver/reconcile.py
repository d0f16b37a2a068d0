"""Reconciliation: what the ledger says was sent to a destination, against what that shows."""

from __future__ import annotations

import csv
import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from airlock.deliver.outlets import Remote
from airlock.dicomio.find import list_study
from airlock.dicomio.store import is_stored
from airlock.dicomio.web import WebClient
from airlock.dicomio.webpeer import WebPeer
from airlock.ledger import UNNAMED, InstanceState, InstanceUpdate, Ledger, TransferState

Shows = Callable[[str], set[str]]
"""Returns the SOPInstanceUIDs that the PACS shows of a study."""


class Verdict(enum.StrEnum):
    """How a study of the ledger stands at the PACS."""

    WHOLE = "whole"
    MISSING = "missing"  # nothing of it is there
    PARTIAL = "partial"  # some of it is not there
    EXTRA = "extra"  # all of it is there, and more
    NOT_DELETED = "not deleted"  # withdrawn, and still there
    GONE = "gone"  # withdrawn, and no longer there


@dataclass
class StudyRow:
    """A study, by its new UID.

    :param sent: SOPInstanceUIDs that the ledger has as sent.
    :param withdrawn: those of transfers that were withdrawn.
    :param shown: those that the PACS shows.
    """

    study_uid: str
    transfers: list[str] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)

    @property
    def missing(self) -> set[str]:
        """Sent, and not there."""
        return self.sent - self.shown

    @property
    def extra(self) -> set[str]:
        """There, and not sent, or withdrawn."""
        return self.shown - self.sent

    @property
    def verdict(self) -> Verdict:
        """How it stands."""
        if not self.sent:
            return Verdict.NOT_DELETED if self.shown & self.withdrawn else Verdict.GONE
        if self.missing:
            return Verdict.PARTIAL if self.sent & self.shown else Verdict.MISSING
        return Verdict.EXTRA if self.extra else Verdict.WHOLE

    @property
    def agrees(self) -> bool:
        """Whether nobody has to look."""
        return self.verdict in (Verdict.WHOLE, Verdict.GONE)


def reconcile(
    ledger: Ledger,
    shows: Shows,
    *,
    destination: str | None = None,
    since: datetime | None = None,
    transfer_id: str | None = None,
) -> Iterator[StudyRow]:
    """Compare study by study.

    :param destination: its connection; only what went there, or to a destination that nobody noted. None: whatever was
        sent at all, for a PACS that gets everything.
    :param since: only studies of transfers that were requested since then; of those, everything that was ever sent.
    :param transfer_id: only the studies of this transfer.
    Raises what `shows` raises.
    """
    rows: dict[str, StudyRow] = {}
    wanted: set[str] = set()
    for summary in ledger.transfers():
        chosen = (since is None or summary.arrived_at >= since) and transfer_id in (None, summary.id)
        withdrawn = summary.state is TransferState.WITHDRAWN
        for study_uid, sop_uid in _sent(ledger, summary.id, destination, withdrawn):
            row = rows.setdefault(study_uid, StudyRow(study_uid))
            (row.withdrawn if withdrawn else row.sent).add(sop_uid)
            if summary.id not in row.transfers:
                row.transfers.append(summary.id)
            if chosen:
                wanted.add(study_uid)
    for study_uid in sorted(wanted):
        row = rows[study_uid]
        row.shown = shows(study_uid)
        yield row


def _sent(ledger: Ledger, transfer_id: str, destination: str | None, withdrawn: bool) -> Iterator[tuple[str, str]]:
    for name in ledger.destinations(transfer_id):
        if destination not in (None, name) and name != UNNAMED:
            continue
        for instance in ledger.deliveries(transfer_id, name):
            if instance.state is InstanceState.SENT or (withdrawn and may_be_there(instance)):
                study_uid, _, sop_uid = uids_of(instance)
                if study_uid:
                    yield study_uid, sop_uid


def shown_by(peer: Remote) -> Shows:
    """Return what asks a destination for the instances of a study."""
    if not isinstance(peer, WebPeer):
        return lambda study_uid: set(list_study(peer, study_uid, count=False).instances)

    def shows(study_uid: str) -> set[str]:
        with WebClient(peer) as client:
            return set(client.list_study(study_uid).instances)

    return shows


def may_be_there(instance: InstanceUpdate) -> bool:
    """Whether the destination may have an instance: it answered that it stored it, whatever came after."""
    acknowledged = instance.state in (InstanceState.SENT, InstanceState.ACKNOWLEDGED)
    return acknowledged or (instance.status is not None and is_stored(instance.status))


def uids_of(instance: InstanceUpdate) -> tuple[str, str, str]:
    """Return the new study, series and SOP instance UIDs that the ledger's path holds; empty when it has none."""
    parts = Path(instance.path or "").parts
    if len(parts) < 3:
        return "", "", ""
    return parts[-3], parts[-2], instance.sop_instance_uid or Path(parts[-1]).stem


def write_rows(rows: Iterable[StudyRow], stream: TextIO) -> None:
    """Write a CSV, a line per study, then one per instance that differs."""
    writer = csv.writer(stream)
    writer.writerow(("study_uid", "verdict", "sent", "shown", "missing", "extra", "transfers", "sop_uid", "difference"))
    for row in rows:
        numbers = (len(row.sent), len(row.shown), len(row.missing), len(row.extra))
        writer.writerow((row.study_uid, row.verdict.value, *numbers, " ".join(row.transfers), "", ""))
        for kind, uids in (("missing", row.missing), ("extra", row.extra)):
            for sop_uid in sorted(uids):
                writer.writerow((row.study_uid, row.verdict.value, "", "", "", "", "", sop_uid, kind))
