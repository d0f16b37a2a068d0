"""The de-identification step of a transfer: everything received becomes ready to be sent, or is held."""

from __future__ import annotations

import time
from pathlib import Path

from airlock.deid.batch import Refused, Task, deidentify_all, harvest_all
from airlock.deid.instance import Recipe, Written
from airlock.deid.offsets import check_offset
from airlock.deid.profile import Profile
from airlock.dicomio.copying import sync
from airlock.dicomio.progress import Progress
from airlock.errors import PixelsNotCleaned, RetryableError
from airlock.findings import Findings
from airlock.identity.harvest import Evidence
from airlock.identity.transfers import identity_of
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.transfer import Transfer
from airlock.workers import Workers

_RECORD_EVERY_SECONDS = 1.0
_RECORD_AT_MOST = 200


def deidentify(transfer: Transfer, progress: Progress | None = None) -> Counts:
    """De-identify every instance that is received and not skipped or held.

    The source of an instance is the pixel step's output where text was found in it, else the file as it came. What an
    earlier try finished is not done again.

    :param progress: called with (done, total) instances.
    :raises PixelsNotCleaned: when text was found in an instance and its rewritten file is missing.
    :raises HeldError: when the study belongs to more than one patient.
    """
    Profile.of(transfer.policy.deidentify)
    workspace = transfer.workspace
    waiting = _waiting(transfer)
    if workspace.complete("deidentified"):
        if not waiting:
            return transfer.ledger.counts(transfer.id)
        workspace.partial("deidentified").mkdir(exist_ok=True, mode=0o700)
        workspace.partial("deidentified").rmdir()
        workspace.folder("deidentified").rename(workspace.partial("deidentified"))
    tasks = _tasks(transfer, waiting) if waiting else []
    with workspace.writing("deidentified") as folder:
        _remove_remains(folder)
        if tasks:
            with Workers(transfer.settings.workers, fork=True) as pool:
                recipe = make_recipe(transfer, _harvest(transfer, pool, tasks))
                _run(transfer, pool, recipe, folder, tasks, progress)
                sync(folder)
        _remove_strangers(transfer, folder)
    counts = transfer.ledger.counts(transfer.id)
    transfer.ledger.event(transfer.id, "deidentify", "finished", done=len(tasks), held=counts.held)
    return counts


def _waiting(transfer: Transfer) -> list[str]:
    """Return the ids of the instances that have no output yet."""
    folders = [transfer.workspace.folder("deidentified"), transfer.workspace.partial("deidentified")]
    waiting = []
    for row in transfer.ledger.instances(transfer.id, InstanceState.RECEIVED, InstanceState.READY):
        outputs = [folder / row.path for folder in folders] if row.path else []
        if row.state is InstanceState.RECEIVED or not any(_has_size(path, row.size) for path in outputs):
            waiting.append(row.id)
    return waiting


def _has_size(path: Path, size: int | None) -> bool:
    return path.is_file() and path.stat().st_size == size


def _tasks(transfer: Transfer, waiting: list[str]) -> list[Task]:
    try:
        found = Findings.load(transfer.workspace).instances
    except FileNotFoundError:
        raise PixelsNotCleaned(
            "The findings of the burned-in text detection are missing. Run the detection step of this transfer first."
        ) from None
    incoming, rewritten = transfer.workspace.folder("incoming"), transfer.workspace.folder("rewritten")
    missing = [name for name in waiting if name in found and not (rewritten / f"{name}.dcm").is_file()]
    if missing:
        raise PixelsNotCleaned(
            f"Text was found in {len(missing)} instances that have no rewritten file, first {missing[0]}. "
            "Run the pixel rewrite step of this transfer again."
        )
    return [
        Task(name, (rewritten if name in found else incoming) / f"{name}.dcm", pixels_rewritten=name in found)
        for name in waiting
    ]


def _remove_remains(folder: Path) -> None:
    """Remove what a killed worker left half written."""
    for part in folder.rglob(".*.part"):
        part.unlink()


def _remove_strangers(transfer: Transfer, folder: Path) -> None:
    """Remove outputs of instances that are not ready: their worker was lost after it had written them."""
    ready = {row.path for row in transfer.ledger.instances(transfer.id, InstanceState.READY)}
    for path in folder.rglob("*.dcm"):
        if path.relative_to(folder).as_posix() not in ready:
            path.unlink()


def _harvest(transfer: Transfer, pool: Workers, tasks: list[Task]) -> Evidence:
    """Harvest all files of the study, also those of instances that were skipped."""
    inputs = [Task(path.stem, path) for path in sorted(transfer.workspace.folder("incoming").glob("*.dcm"))]
    inputs += [task for task in tasks if task.pixels_rewritten]
    evidence = Evidence(uids={transfer.request.study_instance_uid})
    for _task, result in harvest_all(pool, inputs):
        if isinstance(result, Evidence):
            evidence.update(result)
    return evidence


def make_recipe(transfer: Transfer, evidence: Evidence) -> Recipe:
    """Return how this transfer's instances are de-identified.

    :raises HeldError: when the evidence is of more than one patient, or contradicts what is known of the patient.
    :raises RefusedError: when the request asks for what the project's policy does not do.
    """
    policy = transfer.policy
    check_offset(policy.deidentify, transfer.request.options.date_offset_days)
    identity = identity_of(transfer, evidence)
    evidence.update(identity.known)
    if identity.illegal_uids:
        transfer.ledger.event(transfer.id, "deidentify", "illegal UIDs kept", count=identity.illegal_uids)
    return Recipe(
        keys=identity.keys,
        project=policy.name,
        subject=identity.subject,
        event=transfer.request.transfer_event_name,
        edition=policy.deidentify.edition,
        options=policy.deidentify.options,
        days=identity.offset_days,
        evidence=evidence,
        policy=policy.deidentify,
        uids=identity.uids,
        accessions=identity.accessions,
        study_id=identity.study_id,
        engine=transfer.settings.engine,
    )


def _run(
    transfer: Transfer, pool: Workers, recipe: Recipe, folder: Path, tasks: list[Task], progress: Progress | None
) -> None:
    pending: list[InstanceUpdate] = []
    recorded, unreadable, done = time.monotonic(), 0, 0
    try:
        for task, result in deidentify_all(pool, recipe, folder, tasks):
            pending.append(_update(task, result))
            unreadable += result.unreadable_dates if isinstance(result, Written) else 0
            done += 1
            if progress is not None:
                progress(done, len(tasks))
            if len(pending) >= _RECORD_AT_MOST or time.monotonic() - recorded > _RECORD_EVERY_SECONDS:
                transfer.ledger.record(transfer.id, pending)
                pending, recorded = [], time.monotonic()
    except OSError as error:
        raise RetryableError(
            f"An output cannot be written ({error.strerror}). Make room where AIRLOCK_HOME is, and clear this step."
        ) from None
    finally:
        transfer.ledger.record(transfer.id, pending)
    if unreadable:
        transfer.ledger.event(transfer.id, "deidentify", "unreadable dates", emptied=unreadable)


def _update(task: Task, result: Written | Refused) -> InstanceUpdate:
    if isinstance(result, Refused):
        return InstanceUpdate(task.key, InstanceState.HELD, f"De-identification: {result.reason}")
    return InstanceUpdate(
        task.key,
        InstanceState.READY,
        size=result.size,
        sop_class_uid=result.sop_class_uid,
        sop_instance_uid=result.sop_instance_uid,
        path=result.path,
    )
