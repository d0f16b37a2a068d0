"""Sends a consignment: what its destination lacks, as patiently as the policy says, with nothing sent twice."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from airlock.deliver.consignment import Consignment
from airlock.deliver.files import path_of
from airlock.deliver.journal import Journal, journal_path
from airlock.deliver.limits import Throttle, check_hours
from airlock.deliver.proof import look, shown
from airlock.deliver.recorder import NOT_ACCEPTED, REFUSED, Recorder
from airlock.dicomio.header import UnreadableInstance
from airlock.dicomio.progress import Progress, no_progress
from airlock.dicomio.store import Outgoing, is_stored
from airlock.dicomio.turns import Line
from airlock.errors import (
    AirlockError,
    AssociationAborted,
    AssociationRejected,
    DeliveryRefused,
    PeerUnavailable,
    TransferIncomplete,
)
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.workspace import disk_trouble_told

NOT_SHOWN = "acknowledged by the destination, which does not show it"
"""Reason of an instance that is sent again as it is."""
_NAMED_IN_ERRORS = 10
_SECOND_LOOK_SECONDS = 2.0


def send(consignment: Consignment, progress: Progress = no_progress) -> None:
    """Send every instance that the destination lacks.

    Raises as :func:`airlock.deliver.step.send_to_research`; what is refused for good is held and raises nothing.
    """
    transfer, policy = consignment.transfer, consignment.policy
    if not consignment.instances(InstanceState.READY):
        return
    check_hours(consignment.outlet.name, policy.hours, datetime.now().astimezone())
    summary = transfer.ledger.find(transfer.id)
    attempt = summary.attempt if summary else 1
    path = journal_path(transfer.workspace, consignment.destination)
    line = Line(str(transfer.settings.home.absolute() / "slots"), policy.connection, policy.at_a_time)
    with line.place(transfer.id), disk_trouble_told(), Journal(path, attempt) as journal:
        _recover(consignment, journal, attempt)
        _send_patiently(consignment, journal, progress)


def confirm(consignment: Consignment) -> None:
    """Have the destination prove what it acknowledged; send what it doesn't show once more.

    :raises TransferIncomplete: when it still doesn't show all. A retry looks for those first.
    Raises else as :func:`send`.
    """
    if consignment.instances(InstanceState.READY):
        send(consignment)
    missing = look(consignment)
    if missing:
        # A PACS may index what it has just received a moment later.
        time.sleep(_SECOND_LOOK_SECONDS)
        missing = look(consignment)
    if missing:
        consignment.take_back(missing, NOT_SHOWN)
        send(consignment)
        missing = look(consignment)
    proven = len(consignment.instances(InstanceState.SENT))
    consignment.event("confirm", "finished", sent=proven, missing=len(missing))
    if missing:
        raise TransferIncomplete(
            f"{consignment.outlet.name} acknowledged {len(missing)} instances that it doesn't show: {_names(missing)}. "
            "They were sent twice. A retry looks for them again, as an index may lag; when it does not help, look for "
            "them at the PACS (quarantine, duplicate rules), then clear this task."
        )


def release_refused(consignment: Consignment) -> None:
    """Have what was refused sent again, when the step was started again after it had told so.

    Nobody starts it again by himself: a refusal is not retried. So a person has looked.
    """
    if consignment.last_event("send") == "refused":
        refused = _refused(consignment)
        consignment.take_back(refused)
        consignment.event("send", "again", refused=len(refused))


def check_not_refused(consignment: Consignment) -> None:
    """Fail when the destination refused instances, in this try or in one that ended before it could tell.

    :raises DeliveryRefused: when there are any.
    """
    refused = _refused(consignment)
    if not refused:
        return
    # What did arrive is proven before the person comes who looks at the rest.
    with suppress(AirlockError):
        look(consignment)
    not_accepted = [i for i in refused if (i.reason or "").endswith(NOT_ACCEPTED)]
    with_status = [i for i in refused if i not in not_accepted]
    parts = []
    if with_status:
        statuses = ", ".join(f"0x{status:04X}" for status in sorted({i.status or 0 for i in with_status}))
        parts.append(f"refused with {statuses}: {_names(with_status)}")
    if not_accepted:
        parts.append(f"{NOT_ACCEPTED}: {_names(not_accepted)}")
    going = (InstanceState.READY, InstanceState.ACKNOWLEDGED, InstanceState.SENT)
    total = len(consignment.instances(*going)) + len(refused)
    raise DeliveryRefused(
        f"{consignment.outlet.name} did not take {len(refused)} of {total} instances ({'; '.join(parts)}). They are "
        "held, the others were sent. `airlock quarantine comments` shows what it said of them. Have the PACS accept "
        "them (SOP class, transfer syntax, its own rules), then clear this task."
    )


def tell_refused(consignment: Consignment) -> None:
    """Note that a person is told of what was refused: the next try is that person's."""
    consignment.event("send", "refused", instances=len(_refused(consignment)))


def _refused(consignment: Consignment) -> list[InstanceUpdate]:
    held = consignment.instances(InstanceState.HELD)
    return [instance for instance in held if (instance.reason or "").startswith(REFUSED)]


def _send_patiently(consignment: Consignment, journal: Journal, progress: Progress) -> None:
    """Send what is ready, and what a busy peer refused again, later each time."""
    policy = consignment.policy
    for number in range(policy.busy_retries + 1):
        ready = consignment.instances(InstanceState.READY)
        if not ready:
            return
        recorder = _send(consignment, journal, ready, progress)
        if not recorder.busy:
            return
        if number < policy.busy_retries:
            consignment.stop.wait(policy.busy_seconds * 2**number)
            consignment.check_going()
    raise PeerUnavailable(
        f"{consignment.outlet.name} was out of resources for {len(recorder.busy)} of {recorder.total} instances: "
        f"{_names(recorder.busy)}. A retry sends these only."
    )


def _send(consignment: Consignment, journal: Journal, ready: Sequence[InstanceUpdate], progress: Progress) -> Recorder:
    in_doubt = journal.in_doubt
    # In a later attempt, what a peer has may be what an earlier one sent.
    ours = {i.id for i in ready if i.reason == NOT_SHOWN} | set(in_doubt if journal.attempt == 1 else ())
    certain = [instance for instance in ready if instance.id not in in_doubt]
    batch = consignment.policy.batch
    with Recorder(consignment, journal, len(ready), progress, ours) as recorder:
        for start in range(0, len(certain), batch):
            _send_batch(consignment, journal, recorder, certain[start : start + batch])
        # An instance at which a peer ends every association would keep all that come after it.
        _send_singly(consignment, journal, recorder, [instance for instance in ready if instance.id in in_doubt])
    consignment.event("send", "finished", **recorder.counts)
    return recorder


def _send_singly(
    consignment: Consignment, journal: Journal, recorder: Recorder, instances: Sequence[InstanceUpdate]
) -> None:
    """Send each by itself.

    :raises AssociationAborted: when the association ended at some; all others were sent.
    """
    ended: list[str] = []
    for instance in instances:
        try:
            _send_batch(consignment, journal, recorder, [instance])
        except AssociationAborted:
            ended.append(instance.id)
    if ended:
        raise AssociationAborted(
            f"{consignment.outlet.name}, or the network, ended the association at {len(ended)} instances, more than "
            f"once: {_names(ended)}. The others were sent. Look for these in the log of the PACS."
        )


def _send_batch(
    consignment: Consignment, journal: Journal, recorder: Recorder, instances: Sequence[InstanceUpdate]
) -> None:
    rate = consignment.policy.kilobytes_per_second * 1000
    pace = Throttle(rate).wait if rate else None

    def before(instance_id: str) -> None:
        consignment.check_going()
        journal.sending(instance_id)

    files = []
    for instance in instances:
        path = path_of(consignment.transfer.workspace, instance)
        try:
            files.append(Outgoing.of(instance.id, path))
        except UnreadableInstance as error:
            recorder.hold(instance.id, str(error))
    for outcome in consignment.outlet.send(files, before, pace):
        recorder.take(outcome)


def _recover(consignment: Consignment, journal: Journal, attempt: int) -> None:
    """Tell the ledger what a killed process did, so that nothing is sent twice."""
    left = journal.left
    in_doubt: list[InstanceUpdate] = []
    if left.answered or left.unanswered:
        ready = {i.id: i for i in consignment.instances(InstanceState.READY)}
        done = {i: status for i, status in left.answered.items() if i in ready and is_stored(status)}
        in_doubt = [ready[i] for i in left.unanswered if i in ready]
        # In a later attempt, what the peer shows may be what an earlier one sent.
        if in_doubt and attempt == 1:
            # A peer that cannot be asked gets them again.
            with suppress(AssociationRejected):
                done.update(dict.fromkeys(shown(consignment, in_doubt), 0))
        consignment.record(InstanceUpdate(i, InstanceState.ACKNOWLEDGED, reason="", status=s) for i, s in done.items())
        consignment.event("send", "resumed", recovered=len(done))
        in_doubt = [instance for instance in in_doubt if instance.id not in done]
    journal.recorded()
    for instance in in_doubt:
        journal.sending(instance.id)


def _names(instances: Sequence[InstanceUpdate] | Sequence[str]) -> str:
    ids = [i if isinstance(i, str) else i.id for i in instances]
    return ", ".join(ids[:_NAMED_IN_ERRORS]) + (", ..." if len(ids) > _NAMED_IN_ERRORS else "")
