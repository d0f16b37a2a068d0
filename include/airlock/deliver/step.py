"""The steps that send a transfer to the research PACS and prove that it arrived."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from airlock.deliver.files import path_of
from airlock.deliver.journal import JOURNAL, Journal
from airlock.deliver.limits import Throttle, check_hours, slot
from airlock.deliver.outlets import Outlet, Remote, outlet_to
from airlock.deliver.proof import look, shown
from airlock.deliver.recorder import NOT_ACCEPTED, REFUSED, Recorder
from airlock.dicomio.header import UnreadableInstance
from airlock.dicomio.progress import Progress, no_progress
from airlock.dicomio.store import Outgoing, is_stored
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
from airlock.workspace import disk_trouble_told

_NAMED_IN_ERRORS = 10
_SECOND_LOOK_SECONDS = 2.0


def send_to_research(transfer: Transfer, peer: Remote, progress: Progress | None = None) -> Counts:
    """Send every instance that is `READY`, and note the peer's answer to each in the ledger.

    What a busy peer refuses is sent again after a while. What it refuses for good is held, the others are sent and
    proven; run again after that, the step sends the refused ones once more.

    :raises DeliveryRefused: the peer refused instances, or accepts nothing of their kind; the others were sent.
    :raises PeerUnavailable: nobody answers, or the peer was out of resources for some; the others were sent.
    :raises OutsideHours: nothing may be sent at this time of day.
    :raises AssociationRejected: the peer refuses us.
    :raises AssociationAborted: the association ended in the middle.
    :raises HeldError: there is nothing to send, because whatever the project wants of the study is held.
    """
    policy = transfer.policy.destination
    outlet = outlet_to(peer, policy)
    _release_refused(transfer)
    if transfer.ledger.instances(transfer.id, InstanceState.READY):
        check_hours(outlet.name, policy.hours, datetime.now().astimezone())
        with slot(transfer.settings.home / "slots", policy.connection, policy.at_a_time):
            _send_ready(transfer, outlet, progress or no_progress)
    _tell_refused(transfer, outlet)
    return _something_was_sent(transfer)


def _send_ready(transfer: Transfer, outlet: Outlet, progress: Progress) -> None:
    summary = transfer.ledger.find(transfer.id)
    attempt = summary.attempt if summary else 1
    with disk_trouble_told(), Journal(transfer.workspace.root / JOURNAL, attempt) as journal:
        _recover(transfer, outlet, journal, attempt)
        _send_patiently(transfer, outlet, journal, progress)


def _refused(transfer: Transfer) -> list[InstanceUpdate]:
    held = transfer.ledger.instances(transfer.id, InstanceState.HELD)
    return [instance for instance in held if (instance.reason or "").startswith(REFUSED)]


def _release_refused(transfer: Transfer) -> None:
    """Make what was refused ready again, when the step was started again after it had told so.

    Nobody starts it again by himself: a refusal is not retried. So a person has looked.
    """
    told = [kind for _, step, kind, _ in transfer.ledger.events(transfer.id) if step == "send"]
    if told[-1:] == ["refused"]:
        refused = _refused(transfer)
        _take_back(transfer, refused)
        transfer.ledger.event(transfer.id, "send", "again", refused=len(refused))


def _something_was_sent(transfer: Transfer) -> Counts:
    counts = transfer.ledger.counts(transfer.id)
    if counts.held and not counts.sent and not counts.open:
        raise HeldError(
            f"Nothing can be sent: {counts.held} instances are held and none is left. `airlock status "
            f"{transfer.id}` says why. Nothing left the workspace."
        )
    return counts


def confirm_receipt(transfer: Transfer, peer: Remote) -> Counts:
    """Have the destination prove every instance it acknowledged; those it has are `SENT`.

    Missing ones are sent again, once.

    :raises TransferIncomplete: when it still doesn't have all; those are `READY` again.
    Raises else as :func:`send_to_research`.
    """
    outlet = outlet_to(peer, transfer.policy.destination)
    if transfer.ledger.instances(transfer.id, InstanceState.READY):
        send_to_research(transfer, peer)
    missing = look(transfer, outlet)
    if missing:
        # A PACS may index what it has just received a moment later.
        time.sleep(_SECOND_LOOK_SECONDS)
        missing = look(transfer, outlet)
    if missing:
        _take_back(transfer, missing)
        send_to_research(transfer, peer)
        missing = look(transfer, outlet)
    counts = transfer.ledger.counts(transfer.id)
    transfer.ledger.event(transfer.id, "confirm", "finished", sent=counts.sent, missing=len(missing))
    if missing:
        _take_back(transfer, missing)
        raise TransferIncomplete(
            f"{outlet.name} acknowledged {len(missing)} instances that it doesn't show: {_names(missing)}. They "
            "were sent twice. Look for them at the PACS (quarantine, duplicate rules), then clear this task."
        )
    return counts


def _send_patiently(transfer: Transfer, outlet: Outlet, journal: Journal, progress: Progress) -> None:
    """Send what is ready, and what a busy peer refused again, later each time."""
    policy = transfer.policy.destination
    for number in range(policy.busy_retries + 1):
        ready = transfer.ledger.instances(transfer.id, InstanceState.READY)
        if not ready:
            return
        recorder = _send(transfer, outlet, journal, ready, progress)
        if not recorder.busy:
            return
        if number < policy.busy_retries:
            time.sleep(policy.busy_seconds * 2**number)
    raise PeerUnavailable(
        f"{outlet.name} was out of resources for {len(recorder.busy)} of {recorder.total} instances: "
        f"{_names(recorder.busy)}. A retry sends these only."
    )


def _send(
    transfer: Transfer, outlet: Outlet, journal: Journal, ready: Sequence[InstanceUpdate], progress: Progress
) -> Recorder:
    policy = transfer.policy.destination
    throttle = Throttle(policy.kilobytes_per_second * 1000)
    sizes: dict[str, int] = {}

    def before(instance_id: str) -> None:
        throttle.wait(sizes[instance_id])
        journal.sending(instance_id)

    with Recorder(transfer, journal, len(ready), progress) as recorder:
        for start in range(0, len(ready), policy.batch):
            files = []
            for instance in ready[start : start + policy.batch]:
                path = path_of(transfer.workspace, instance)
                try:
                    files.append(Outgoing.of(instance.id, path))
                    sizes[instance.id] = path.stat().st_size
                except UnreadableInstance as error:
                    recorder.hold(instance.id, str(error))
            for outcome in outlet.send(files, before):
                recorder.take(outcome)
    transfer.ledger.event(transfer.id, "send", "finished", **recorder.counts)
    return recorder


def _tell_refused(transfer: Transfer, outlet: Outlet) -> None:
    """Fail when the destination refused instances, in this try or in one that ended before it could tell.

    :raises DeliveryRefused: when there are any.
    """
    refused = _refused(transfer)
    if not refused:
        return
    # What did arrive is proven before the person comes who looks at the rest.
    with suppress(AirlockError):
        look(transfer, outlet)
    transfer.ledger.event(transfer.id, "send", "refused", instances=len(refused))
    counts = transfer.ledger.counts(transfer.id)
    not_accepted = [i for i in refused if (i.reason or "").endswith(NOT_ACCEPTED)]
    with_status = [i for i in refused if i not in not_accepted]
    parts = []
    if with_status:
        statuses = ", ".join(f"0x{status:04X}" for status in sorted({i.status or 0 for i in with_status}))
        parts.append(f"refused with {statuses}: {_names(with_status)}")
    if not_accepted:
        parts.append(f"{NOT_ACCEPTED}: {_names(not_accepted)}")
    total = counts.sent + counts.open + len(refused)
    raise DeliveryRefused(
        f"{outlet.name} did not take {len(refused)} of {total} instances ({'; '.join(parts)}). They are held, the "
        "others were sent. Have the PACS accept them (SOP class, transfer syntax, its own rules), then clear this task."
    )


def _recover(transfer: Transfer, outlet: Outlet, journal: Journal, attempt: int) -> None:
    """Tell the ledger what a killed process did, so that nothing is sent twice."""
    left = journal.left
    if left.answered or left.unanswered:
        ready = {i.id: i for i in transfer.ledger.instances(transfer.id, InstanceState.READY)}
        done = {i: status for i, status in left.answered.items() if i in ready and is_stored(status)}
        in_doubt = [ready[i] for i in left.unanswered if i in ready]
        # In a later attempt, what the peer shows may be what an earlier one sent.
        if in_doubt and attempt == 1:
            # A peer that cannot be asked gets them again.
            with suppress(AssociationRejected):
                done.update(dict.fromkeys(shown(transfer, outlet, in_doubt), 0))
        transfer.ledger.record(
            transfer.id, (InstanceUpdate(i, InstanceState.ACKNOWLEDGED, reason="", status=s) for i, s in done.items())
        )
        transfer.ledger.event(transfer.id, "send", "resumed", recovered=len(done))
    journal.recorded()


def _take_back(transfer: Transfer, instances: Sequence[InstanceUpdate]) -> None:
    transfer.ledger.record(transfer.id, (InstanceUpdate(i.id, InstanceState.READY) for i in instances))


def _names(instances: Sequence[InstanceUpdate] | Sequence[str]) -> str:
    ids = [i if isinstance(i, str) else i.id for i in instances]
    return ", ".join(ids[:_NAMED_IN_ERRORS]) + (", ..." if len(ids) > _NAMED_IN_ERRORS else "")
