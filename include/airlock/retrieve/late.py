"""Late series: a study in the raw folder that grew after its transfer was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airlock.errors import TransferIncomplete
from airlock.ledger import TransferState
from airlock.retrieve import raw
from airlock.retrieve.sources import method_of
from airlock.transfer import Transfer

SENT = (TransferState.SENT, TransferState.EMPTY)
COMPARED = "compared"
# What changes within the second in which it was looked at may not have been seen.
_DOUBT = timedelta(seconds=2)


def late_instances(transfer: Transfer) -> int:
    """Count the instances that came to the raw folder after the transfer was sent.

    Whether anything is new is told by the instances themselves: a study that was only touched is not sent again. A
    study is read when something in it changed since it was last looked at, and only once it has stopped changing.

    :raises TransferIncomplete: when a file cannot be read.
    """
    summary = transfer.ledger.find(transfer.id)
    if summary is None or summary.state not in SENT or method_of(transfer) != "raw":
        return 0
    studies = [raw.RawStudy(transfer.settings.raw_folder, uid) for uid in transfer.request.studies]
    idle, looked_at = transfer.settings.study_idle_seconds, _looked_at(transfer)
    changed = any(raw.changed_at(study) > looked_at for study in studies)
    if not changed or not all(raw.is_settled(study, idle) for study in studies):
        return 0
    begun = datetime.now(UTC)
    known = {instance.id for instance in transfer.ledger.instances(transfer.id)}
    late = sum(_id(transfer, study, entry) not in known for study in studies for entry in study.entries())
    if not late:
        # Of the beginning, so that what came while it was read is found by the next look. Where something is late the
        # study is read again until the transfer has begun again, whatever becomes of the asking.
        transfer.ledger.event(transfer.id, "late", COMPARED, at=(begun - _DOUBT).isoformat())
    return late


def _looked_at(transfer: Transfer) -> float:
    """When the study was last read, by the pull or by a comparison, in seconds since 1970."""
    times = [0.0]
    for at, step, kind, detail in transfer.ledger.events(transfer.id):
        if (step, kind) == ("late", COMPARED):
            times.append(datetime.fromisoformat(detail["at"]).timestamp())
        elif (step, kind) == ("pull_study", "started"):
            times.append((at - _DOUBT).timestamp())
    return max(times)


def _id(transfer: Transfer, study: raw.RawStudy, entry: str) -> str:
    """Return the pseudonymous id that an entry of the study has, or would have."""
    path = study.folder / entry
    if not path.is_file():
        raise TransferIncomplete("The study has an entry that is no file. Look at its folder below AIRLOCK_RAW.")
    return transfer.instance_id(raw.sop_instance_uid_of(path) or entry)
