"""The steps that send a transfer to the research PACS and prove that it arrived."""

from __future__ import annotations

import time
from collections.abc import Sequence

from airlock.deliver.files import path_of, sop_uid_of, study_uid_of
from airlock.deliver.journal import Journal
from airlock.deliver.recorder import Recorder
from airlock.dicomio.find import find_instances
from airlock.dicomio.header import UnreadableInstance
from airlock.dicomio.peer import Peer
from airlock.dicomio.progress import Progress, no_progress
from airlock.dicomio.store import Outgoing, is_stored, send_files
from airlock.errors import (
    AirlockError,
    AssociationRejected,
    DeliveryRefused,
    HeldError,
    PeerUnavailable,
    TransferIncomplete,
)
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.transfer import Transfer

_NAMED_IN_ERRORS = 10
_SECOND_LOOK_SECONDS = 2.0


def send_to_research(transfer: Transfer, peer: Peer, progress: Progress | None = None) -> Counts:
    """Send every instance that is `READY`, and note the peer's answer to each in the ledger.

    :raises DeliveryRefused: the peer refused instances, or accepts nothing of their kind; the others were sent.
    :raises PeerUnavailable: nobody answers, or the peer was out of resources for some; the others were sent.
    :raises AssociationRejected: the peer refuses us.
    :raises AssociationAborted: the association ended in the middle.
    :raises HeldError: there is nothing to send, because whatever the project wants of the study is held.
    """
    if not transfer.ledger.instances(transfer.id, InstanceState.READY):
        return _nothing_to_send(transfer)
    summary = transfer.ledger.find(transfer.id)
    attempt = summary.attempt if summary else 1
    with Journal(transfer.workspace.root / "send.journal", attempt) as journal:
        _recover(transfer, peer, journal, attempt)
        ready = transfer.ledger.instances(transfer.id, InstanceState.READY)
        if ready:
            _send(transfer, peer, journal, ready, progress or no_progress)
    return transfer.ledger.counts(transfer.id)


def _nothing_to_send(transfer: Transfer) -> Counts:
    counts = transfer.ledger.counts(transfer.id)
    if counts.held and not counts.sent and not counts.open:
        raise HeldError(
            f"Nothing can be sent: {counts.held} instances are held and none is left. `airlock status "
            f"{transfer.id}` says why. Nothing left the workspace."
        )
    return counts


def confirm_receipt(transfer: Transfer, peer: Peer) -> Counts:
    """Ask the research PACS for every instance it acknowledged; those it has are `SENT`.

    Missing ones are sent again, once.

    :raises TransferIncomplete: when it still doesn't have all; those are `READY` again.
    Raises else as :func:`send_to_research`.
    """
    if transfer.ledger.instances(transfer.id, InstanceState.READY):
        send_to_research(transfer, peer)
    missing = _look(transfer, peer)
    if missing:
        # A PACS may index what it has just received a moment later.
        time.sleep(_SECOND_LOOK_SECONDS)
        missing = _look(transfer, peer)
    if missing:
        _take_back(transfer, missing)
        send_to_research(transfer, peer)
        missing = _look(transfer, peer)
    counts = transfer.ledger.counts(transfer.id)
    transfer.ledger.event(transfer.id, "confirm", "finished", sent=counts.sent, missing=len(missing))
    if missing:
        _take_back(transfer, missing)
        raise TransferIncomplete(
            f"{peer.name} acknowledged {len(missing)} instances that it doesn't show: {_names(missing)}. They "
            "were sent twice. Look for them at the PACS (quarantine, duplicate rules), then clear this task."
        )
    return counts


def _send(
    transfer: Transfer, peer: Peer, journal: Journal, ready: Sequence[InstanceUpdate], progress: Progress
) -> None:
    recorder = Recorder(transfer, journal, len(ready), progress)
    with recorder:
        files = []
        for instance in ready:
            try:
                files.append(Outgoing.of(instance.id, path_of(transfer.workspace, instance)))
            except UnreadableInstance as error:
                recorder.hold(instance.id, str(error))
        for outcome in send_files(peer, files, journal.sending):
            recorder.take(outcome)
    transfer.ledger.event(transfer.id, "send", "finished", **recorder.counts)
    problem = _problem(peer, recorder)
    if problem is not None:
        raise problem


def _problem(peer: Peer, recorder: Recorder) -> AirlockError | None:
    refused = [*recorder.refused, *recorder.not_accepted]
    if refused:
        parts = []
        if recorder.refused:
            statuses = ", ".join(f"0x{s:04X}" for s in sorted(set(recorder.refused.values())))
            parts.append(f"refused with {statuses}: {_names(list(recorder.refused))}")
        if recorder.not_accepted:
            parts.append(f"no presentation context accepted: {_names(recorder.not_accepted)}")
        return DeliveryRefused(
            f"{peer.name} did not take {len(refused)} of {recorder.total} instances ({'; '.join(parts)}). The others "
            "were sent. Have the PACS accept them (SOP class, transfer syntax, its own rules), then clear this task."
        )
    if recorder.busy:
        return PeerUnavailable(
            f"{peer.name} was out of resources for {len(recorder.busy)} of {recorder.total} instances: "
            f"{_names(recorder.busy)}. A retry sends these only."
        )
    return None


def _recover(transfer: Transfer, peer: Peer, journal: Journal, attempt: int) -> None:
    """Tell the ledger what a killed process did, so that nothing is sent twice."""
    left = journal.left
    if left.answered or left.unanswered:
        ready = {i.id: i for i in transfer.ledger.instances(transfer.id, InstanceState.READY)}
        done = {i: status for i, status in left.answered.items() if i in ready and is_stored(status)}
        in_doubt = [ready[i] for i in left.unanswered if i in ready]
        # In a later attempt, what the peer shows may be what an earlier one sent.
        if in_doubt and attempt == 1:
            absent = {instance.id for instance in _absent(transfer, peer, in_doubt)}
            done.update((instance.id, 0) for instance in in_doubt if instance.id not in absent)
        transfer.ledger.record(
            transfer.id, (InstanceUpdate(i, InstanceState.ACKNOWLEDGED, reason="", status=s) for i, s in done.items())
        )
        transfer.ledger.event(transfer.id, "send", "resumed", recovered=len(done))
    journal.recorded()


def _absent(transfer: Transfer, peer: Peer, instances: Sequence[InstanceUpdate]) -> list[InstanceUpdate]:
    """Return those that the peer doesn't have; all of them, when it doesn't offer C-FIND."""
    try:
        return _missing(transfer, peer, instances)
    except AssociationRejected:
        return list(instances)


def _look(transfer: Transfer, peer: Peer) -> list[InstanceUpdate]:
    """Move what the peer has from `ACKNOWLEDGED` to `SENT`; return the others."""
    waiting = transfer.ledger.instances(transfer.id, InstanceState.ACKNOWLEDGED)
    missing = _missing(transfer, peer, waiting)
    absent = {instance.id for instance in missing}
    transfer.ledger.record(
        transfer.id, (InstanceUpdate(i.id, InstanceState.SENT) for i in waiting if i.id not in absent)
    )
    return missing


def _missing(transfer: Transfer, peer: Peer, instances: Sequence[InstanceUpdate]) -> list[InstanceUpdate]:
    paths = {i.id: path_of(transfer.workspace, i) for i in instances}
    stored: set[str] = set()
    for study_uid in sorted({study_uid_of(transfer.workspace, path) for path in paths.values()}):
        stored.update(find_instances(peer, study_uid))
    return [i for i in instances if sop_uid_of(i, paths[i.id]) not in stored]


def _take_back(transfer: Transfer, instances: Sequence[InstanceUpdate]) -> None:
    transfer.ledger.record(transfer.id, (InstanceUpdate(i.id, InstanceState.READY) for i in instances))


def _names(instances: Sequence[InstanceUpdate] | Sequence[str]) -> str:
    ids = [i if isinstance(i, str) else i.id for i in instances]
    return ", ".join(ids[:_NAMED_IN_ERRORS]) + (", ..." if len(ids) > _NAMED_IN_ERRORS else "")
