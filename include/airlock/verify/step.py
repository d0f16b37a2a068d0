"""The verification step: nothing leaves that holds a known identifier, or of which the ledger does not know."""

from __future__ import annotations

from pathlib import Path

from airlock.dicomio.progress import Progress
from airlock.errors import HeldError, IdentifierFound
from airlock.identity.harvest import Evidence
from airlock.identity.transfers import identity_of
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.project import DeidentifyPolicy
from airlock.transfer import Transfer
from airlock.verify.inspect import Check, Expectation, Problem, make_harvester, make_inspector
from airlock.workers import Lost, Workers

_NAMED_AT_MOST = 5


def verify_output(transfer: Transfer, progress: Progress | None = None) -> Counts:
    """Read every output of the de-identification step and compare it with the inputs.

    It writes nothing but events, and may be run as often as one likes.

    :param progress: called with (done, total) outputs.
    :raises IdentifierFound: naming instances and attributes, never values.
    :raises HeldError: when outputs are missing, unknown to the ledger, or not marked as they must be.
    """
    folder = transfer.workspace.folder("deidentified")
    ready = transfer.ledger.instances(transfer.id, InstanceState.READY)
    _check_numbers(folder, ready)
    checks = [_check(transfer, folder, row) for row in ready]
    problems: dict[str, list[Problem]] = {}
    with Workers(transfer.settings.workers) as pool:
        expectation = _expectation(transfer, _harvest(transfer, pool))
        for done, (check, found) in enumerate(pool.run(make_inspector, expectation, checks), start=1):
            if isinstance(found, Lost):
                problems[check.instance_id] = [Problem("unreadable")]
            elif found:
                problems[check.instance_id] = found
            if progress is not None:
                progress(done, len(checks))
    if problems:
        _raise(transfer, problems)
    transfer.ledger.event(transfer.id, "verify", "passed", instances=len(checks))
    return transfer.ledger.counts(transfer.id)


def _check_numbers(folder: Path, ready: list[InstanceUpdate]) -> None:
    """Check that the ledger and the folder have the same outputs."""
    expected = {row.path for row in ready}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if len(expected) != len(ready) or expected != found:
        raise HeldError(
            f"The ledger has {len(ready)} outputs ready, the workspace {len(found)}, and they are not the same. "
            "Clear the de-identification step of this transfer, so that it is done again."
        )


def _check(transfer: Transfer, folder: Path, row: InstanceUpdate) -> Check:
    source = transfer.workspace.folder("incoming") / f"{row.id}.dcm"
    return Check(row.id, folder / (row.path or ""), source, row.sop_instance_uid or "")


def _harvest(transfer: Transfer, pool: Workers) -> Evidence:
    evidence = Evidence(uids={transfer.request.study_instance_uid})
    inputs = sorted(transfer.workspace.folder("incoming").glob("*.dcm"))
    for _path, found in pool.run(make_harvester, None, inputs):
        if isinstance(found, Evidence):
            evidence.update(found)
    return evidence


def _expectation(transfer: Transfer, evidence: Evidence) -> Expectation:
    request, policy = transfer.request, transfer.policy
    subject = identity_of(transfer, evidence).subject
    return Expectation(
        evidence=evidence,
        subject=subject,
        dates=expected_dates(policy.deidentify),
        public=(subject, policy.name, request.transfer_event_name),
        keep_uids="retain_uids" in policy.deidentify.options,
    )


def expected_dates(policy: DeidentifyPolicy) -> str:
    """Return what LongitudinalTemporalInformationModified must say (PS3.15 section E.3.6)."""
    if "retain_longitudinal_full_dates" in policy.options:
        return "UNMODIFIED"
    return "MODIFIED" if "retain_longitudinal_modified_dates" in policy.options else "REMOVED"


def _raise(transfer: Transfer, problems: dict[str, list[Problem]]) -> None:
    attributes = sorted({problem.attribute for found in problems.values() for problem in found})
    identifiers = any(problem.identifier for found in problems.values() for problem in found)
    kind = "identifier found" if identifiers else "not as it must be"
    transfer.ledger.event(transfer.id, "verify", kind, instances=sorted(problems)[:100], attributes=attributes[:100])
    named = "; ".join(
        f"{instance_id}: {', '.join(problem.attribute for problem in found[:_NAMED_AT_MOST])}"
        for instance_id, found in sorted(problems.items())[:_NAMED_AT_MOST]
    )
    if identifiers:
        raise IdentifierFound(
            f"A known identifier is left in {len(problems)} outputs ({named}). Nothing is sent. "
            "Report it, and look at these attributes of the inputs before anything is tried again."
        )
    raise HeldError(
        f"{len(problems)} outputs are not as they must be ({named}). Nothing is sent. "
        "Clear the de-identification step of this transfer, so that it is done again."
    )
