"""Late series: a study that grew at its source, the raw folder or a PACS, after its transfer was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airlock.errors import TransferIncomplete
from airlock.ledger import TransferState, TransferSummary
from airlock.retrieve import raw
from airlock.retrieve.links import Remote, link_to
from airlock.retrieve.sources import method_of
from airlock.transfer import Transfer

SENT = (TransferState.SENT, TransferState.EMPTY)
COMPARED = "compared"
# What changes within the second in which it was looked at may not have been seen.
_DOUBT = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(days=1)


def late_instances(transfer: Transfer, remote: Remote | None = None) -> int:
    """Count the instances that came to the source after the transfer was sent.

    Whether anything is new is told by the instances themselves: a study that was only touched is not sent again.

    :param remote: the PACS it came from; None for the raw folder.
    :raises TransferIncomplete: when a file cannot be read.
    :raises PeerUnavailable: when the PACS doesn't answer; or what else asking a PACS raises.
    """
    summary = transfer.ledger.find(transfer.id)
    if summary is None or summary.state not in SENT or (method_of(transfer) == "raw") != (remote is None):
        return 0
    begun = datetime.now(UTC)
    late = _late_files(transfer) if remote is None else _late_at(transfer, remote)
    if late == 0:
        # Of the beginning, so that what came while it was read is found by the next look. Where something is late the
        # study is read again until the transfer has begun again, whatever becomes of the asking.
        transfer.ledger.event(transfer.id, "late", COMPARED, at=(begun - _DOUBT).isoformat())
    return late or 0


def is_due(transfer: Transfer, summary: TransferSummary, now: datetime) -> bool:
    """Whether a transfer's PACS should be asked whether its study has grown.

    It is asked `AIRLOCK_LATE_MINUTES` after the transfer has ended, then after twice that, and so on, at least once a
    day: studies grow soon or never, and a PACS is not to be asked about thousands of them at every look.
    """
    minutes = transfer.settings.late_minutes
    if not minutes or summary.finished_at is None:
        return False
    looked_at = max(summary.finished_at, datetime.fromtimestamp(_looked_at(transfer), UTC))
    pause = max(timedelta(minutes=minutes), min(looked_at - summary.finished_at, _LONGEST_PAUSE))
    return now - looked_at >= pause


def _late_files(transfer: Transfer) -> int | None:
    """Count new instances of the raw folder; None when there is nothing to look at yet.

    A study is read when something in it changed since it was last looked at, and only once it has stopped changing.
    """
    studies = [raw.RawStudy(transfer.settings.raw_folder, uid) for uid in transfer.request.studies]
    idle, looked_at = transfer.settings.study_idle_seconds, _looked_at(transfer)
    changed = any(raw.changed_at(study) > looked_at for study in studies)
    if not changed or not all(raw.is_settled(study, idle) for study in studies):
        return None
    known = _known(transfer)
    return sum(_id(transfer, study, entry) not in known for study in studies for entry in study.entries())


def _late_at(transfer: Transfer, remote: Remote) -> int:
    """Count instances that a PACS lists, or counts without listing them, and that were not pulled."""
    link = link_to(remote, by_get=method_of(transfer) == "c-get")
    known, late, listed = _known(transfer), 0, 0
    for uid in transfer.request.studies:
        listing = link.list_study(uid)
        late += sum(transfer.instance_id(instance) not in known for instance in listing.instances)
        listed += listing.expected
    return max(late, listed - len(known))


def _known(transfer: Transfer) -> set[str]:
    return {instance.id for instance in transfer.ledger.instances(transfer.id)}


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
