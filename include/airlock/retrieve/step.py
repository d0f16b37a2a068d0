"""The steps that wait for a study and bring it into the transfer's workspace."""

from __future__ import annotations

from airlock.dicomio.find import find_study
from airlock.dicomio.peer import Peer
from airlock.dicomio.progress import Progress, no_progress
from airlock.errors import PolicyError, TransferIncomplete
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.project import Method
from airlock.retrieve import raw
from airlock.retrieve.pacs import fetch_study
from airlock.transfer import Transfer


def study_is_ready(transfer: Transfer, peer: Peer | None) -> bool:
    """Whether the study can be pulled now.

    Raw folder: it exists, and nothing in it changed for `study_idle_seconds`. PACS: it knows an instance of it.

    :param peer: the staging PACS; None for the raw folder.
    :raises PeerUnavailable: the PACS doesn't answer.
    :raises AssociationRejected: the PACS refuses us.
    """
    if method_of(transfer) == "raw":
        return raw.is_settled(_raw_folder(transfer), transfer.settings.study_idle_seconds)
    study = find_study(_required(peer), transfer.request.study_instance_uid)
    return study is not None and study.instances != 0


def pull_study(transfer: Transfer, peer: Peer | None, progress: Progress | None = None) -> Counts:
    """Fill `incoming` with `<instance id>.dcm` and note every instance in the ledger.

    :param peer: the staging PACS; None for the raw folder.
    :raises StudyNotFound: the source doesn't have the study.
    :raises TransferIncomplete: instances are missing, or the study changed meanwhile.
    :raises PeerUnavailable: the PACS doesn't answer.
    :raises AssociationRejected: the PACS refuses us.
    :raises AssociationAborted: an association ended in the middle.
    """
    if transfer.workspace.complete("incoming"):
        return transfer.ledger.counts(transfer.id)
    if method_of(transfer) == "raw":
        _pull_raw(transfer, progress or no_progress)
    else:
        _pull_pacs(transfer, _required(peer), progress or no_progress)
    counts = transfer.ledger.counts(transfer.id)
    transfer.ledger.event(
        transfer.id, "pull", "finished", received=counts.received, skipped=counts.skipped, held=counts.held
    )
    return counts


def method_of(transfer: Transfer) -> Method:
    """How this study is pulled: as the request says, else as the project's policy says."""
    return (transfer.request.source or transfer.policy.source).method


def _pull_raw(transfer: Transfer, progress: Progress) -> None:
    with transfer.workspace.writing("incoming") as folder:
        updates = raw.bring_in(_raw_folder(transfer), folder, transfer.instance_id, progress)
        transfer.ledger.describe(transfer.id, expected=len(updates))
        transfer.ledger.record(transfer.id, updates)


def _pull_pacs(transfer: Transfer, peer: Peer, progress: Progress) -> None:
    with transfer.workspace.writing("incoming") as folder:
        fetched = fetch_study(
            peer,
            transfer.request.study_instance_uid,
            folder,
            by_get=method_of(transfer) == "c-get",
            name_of=transfer.instance_id,
            on_expected=lambda expected: transfer.ledger.describe(transfer.id, expected=expected),
            progress=progress,
        )
        if fetched.missing:
            raise TransferIncomplete(fetched.explain(peer))
        files = sorted(folder.glob("*.dcm"))
        # More than the query said may have come: a study can grow.
        transfer.ledger.describe(transfer.id, expected=len(files))
        transfer.ledger.record(
            transfer.id,
            (InstanceUpdate(f.stem, InstanceState.RECEIVED, size=f.stat().st_size) for f in files),
        )


def _raw_folder(transfer: Transfer) -> raw.RawStudy:
    return raw.RawStudy(transfer.settings.raw_folder, transfer.request.study_instance_uid)


def _required(peer: Peer | None) -> Peer:
    if peer is None:
        raise PolicyError(
            "The study is to be pulled from a PACS, but no connection is named. Set source.connection in the "
            "project's policy or in the request."
        )
    return peer
