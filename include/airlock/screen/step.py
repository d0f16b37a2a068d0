"""The step that reads the headers of what came in, and skips or holds what does not go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from airlock.dicomio.header import Category, UnreadableInstance, read_header
from airlock.errors import TransferIncomplete
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.screen.rules import check, skip_reason
from airlock.transfer import Transfer

_BATCH = 500


def screen_instances(transfer: Transfer) -> Counts:
    """Mark instances of `incoming` as skipped (a rule of the project says so) or held (a person must look).

    Files stay where they are; later steps take those that are still `RECEIVED`.

    :raises TransferIncomplete: when the study was not pulled.
    """
    if not transfer.workspace.complete("incoming"):
        raise TransferIncomplete("The study of this transfer was not pulled. Clear the pull task first.")
    updates = _judge_all(transfer)
    while batch := list(islice(updates, _BATCH)):
        transfer.ledger.record(transfer.id, batch)
    counts = transfer.ledger.counts(transfer.id)
    out = transfer.ledger.instances(transfer.id, InstanceState.SKIPPED, InstanceState.HELD)
    transfer.ledger.event(
        transfer.id,
        "screen",
        "finished",
        received=counts.received,
        reasons=dict(sorted(Counter(instance.reason or "" for instance in out).items())),
    )
    return counts


def _judge_all(transfer: Transfer) -> Iterator[InstanceUpdate]:
    folder = transfer.workspace.folder("incoming")
    for instance in transfer.ledger.instances(transfer.id, InstanceState.RECEIVED):
        try:
            yield _judge(transfer, instance.id, folder / f"{instance.id}.dcm")
        except UnreadableInstance as error:
            yield InstanceUpdate(instance.id, InstanceState.HELD, reason=str(error))


def _judge(transfer: Transfer, instance_id: str, path: Path) -> InstanceUpdate:
    try:
        header = read_header(path, whole=True)
    except OSError:
        raise UnreadableInstance(Category.DICOM_READ_ERROR, "the file cannot be read") from None
    asked = transfer.request.studies
    check(header, header["study_instance_uid"] if header["study_instance_uid"] in asked else asked[0])
    if transfer.instance_id(header["sop_instance_uid"]) != instance_id:
        raise UnreadableInstance(Category.INVALID_DICOM, "its SOPInstanceUID is not the one it was received under")
    reason = skip_reason(header, transfer.policy.screen)
    state = InstanceState.SKIPPED if reason else None
    return InstanceUpdate(instance_id, state, reason=reason, sop_class_uid=header["sop_class_uid"])
