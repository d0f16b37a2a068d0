"""The verification step: nothing leaves that was not read again, whole, and found to be what it must be."""

from __future__ import annotations

from pathlib import Path

from airlock.dicomio.progress import Progress
from airlock.errors import HeldError, IdentifierFound
from airlock.findings import Findings
from airlock.identity.transfers import identity_of
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.transfer import Transfer
from airlock.verify.checks import Check
from airlock.verify.found import verdict
from airlock.verify.report import FILE_NAME, summary, write_report
from airlock.verify.together import Problems, expectation_of, harvest, inspect, one_patient
from airlock.workers import Workers

_OUTPUTS = (InstanceState.READY, InstanceState.ACKNOWLEDGED, InstanceState.SENT)


def verify_output(transfer: Transfer, progress: Progress | None = None) -> Counts:
    """Read every output of the de-identification step and compare it with its input.

    It writes events and the report, nothing else, and may be run as often as one likes.

    :param progress: called with (done, total) outputs.
    :raises IdentifierFound: naming instances and attributes, never values.
    :raises HeldError: when outputs are missing, unknown to the ledger, or not as they must be.
    """
    folder = transfer.workspace.folder("deidentified")
    ready = transfer.ledger.instances(transfer.id, *_OUTPUTS)
    _check_numbers(transfer, folder, ready)
    checks = _checks(transfer, folder, ready)
    with Workers(transfer.settings.workers, fork=True) as pool:
        incoming = transfer.workspace.folder("incoming").glob("*.dcm")
        files = sorted({Path(check.source) for check in checks} | set(incoming))
        inputs = one_patient(harvest(pool, files, transfer.policy).values())
        inputs.evidence.uids.add(transfer.request.study_instance_uid)
        request, policy = transfer.request, transfer.policy
        identity = identity_of(transfer, inputs.evidence)
        inputs.evidence.update(identity.known)
        expectation = expectation_of(policy, inputs.evidence, identity.subject, request.transfer_event_name)
        days = abs(identity.offset_days)
        found = inspect(pool, [(expectation, checks)] if checks else [], policy, progress, days=days)
        problems = {name: each for _, inspection in found for name, each in inspection.problems.items()}
    report = transfer.workspace.folder("report") / FILE_NAME
    write_report(report, problems)
    if any(problems.values()):
        _raise(transfer, problems)
    transfer.ledger.event(transfer.id, "verify", "passed", instances=len(checks), unreadable_inputs=inputs.unreadable)
    return transfer.ledger.counts(transfer.id)


def _check_numbers(transfer: Transfer, folder: Path, ready: list[InstanceUpdate]) -> None:
    """Check that every input is accounted for, and that the ledger and the folder have the same outputs."""
    expected = {row.path for row in ready}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if len(expected) != len(ready) or expected != found:
        raise HeldError(
            f"The ledger has {len(ready)} outputs ready, the workspace {len(found)}, and they are not the same. "
            "Clear the de-identification step of this transfer, so that it is done again."
        )
    rows = transfer.ledger.instances(transfer.id)
    arrived = {path.stem for path in transfer.workspace.folder("incoming").glob("*.dcm")}
    unknown = len(arrived - {row.id for row in rows})
    missing = len({row.id for row in ready} - arrived)
    waiting = sum(1 for row in rows if row.state is InstanceState.RECEIVED)
    if unknown or missing or waiting:
        raise HeldError(
            f"Of the inputs {unknown} are not in the ledger, {waiting} are neither ready, skipped nor held, and "
            f"{missing} outputs have no input. Clear the de-identification step of this transfer: it is done again."
        )


def _checks(transfer: Transfer, folder: Path, ready: list[InstanceUpdate]) -> list[Check]:
    try:
        flagged = Findings.load(transfer.workspace).instances
    except FileNotFoundError:
        raise HeldError("The findings of the burned-in text detection are missing. Run that step again.") from None
    workspace = transfer.workspace
    checks = []
    for row in ready:
        source = workspace.folder("rewritten" if row.id in flagged else "incoming") / f"{row.id}.dcm"
        name = row.path or ""
        checks.append(Check(row.id, folder / name, name, source, row.id in flagged, row.sop_instance_uid or ""))
    return checks


def _raise(transfer: Transfer, problems: Problems) -> None:
    wrong = {name: found for name, found in problems.items() if found}
    attributes = sorted({problem.attribute for found in wrong.values() for problem in found})
    identifiers = any(problem.identifier for found in wrong.values() for problem in found)
    review = all(verdict(found) == "review" for found in wrong.values())
    kind = "review" if review else "identifier found" if identifiers else "not as it must be"
    transfer.ledger.event(transfer.id, "verify", kind, instances=sorted(wrong)[:100], attributes=attributes[:100])
    if review:
        raise IdentifierFound(
            f"{len(wrong)} outputs hold what may be an identifier ({summary(wrong)}). Nothing is sent. It may be a "
            f"false alarm: look at these attributes; {FILE_NAME} in the transfer's workspace lists all of them."
        )
    if identifiers:
        raise IdentifierFound(
            f"A known identifier is left in {len(wrong)} outputs ({summary(wrong)}). Nothing is sent. "
            "Report it, and look at these attributes of the inputs before anything is tried again."
        )
    raise HeldError(
        f"{len(wrong)} outputs are not as they must be ({summary(wrong)}). Nothing is sent. "
        "Clear the de-identification step of this transfer, so that it is done again."
    )
