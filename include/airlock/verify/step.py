"""The verification step: nothing leaves that was not read again, whole, and found to be what it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airlock.dicomio.progress import Progress
from airlock.errors import HeldError, IdentifierFound
from airlock.findings import Findings
from airlock.identity.harvest import Evidence
from airlock.identity.transfers import identity_of
from airlock.ledger import Counts, InstanceState, InstanceUpdate
from airlock.project import ProjectPolicy
from airlock.transfer import Transfer
from airlock.verify.duties import Marks
from airlock.verify.found import Problem, verdict
from airlock.verify.harvest import Harvested, make_harvester
from airlock.verify.inspect import Check, Expectation, Inspected, make_inspector
from airlock.verify.policy import override_of, private_of
from airlock.verify.report import FILE_NAME, summary, write_report
from airlock.verify.study import Study
from airlock.workers import Lost, Workers

_OUTPUTS = (InstanceState.READY, InstanceState.ACKNOWLEDGED, InstanceState.SENT)
Problems = dict[str, list[Problem]]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a patient.

    :param unreadable: how many no reader could read; whatever they hold, it cannot be searched for.
    """

    evidence: Evidence
    unreadable: int


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
    with Workers(transfer.settings.workers) as pool:
        files = sorted({check.source for check in checks} | set(transfer.workspace.folder("incoming").glob("*.dcm")))
        inputs = harvest(pool, files, transfer.policy)
        inputs.evidence.uids.add(transfer.request.study_instance_uid)
        request, policy = transfer.request, transfer.policy
        identity = identity_of(transfer, inputs.evidence)
        expectation = expectation_of(policy, inputs.evidence, identity.subject, request.transfer_event_name)
        problems = inspect(pool, expectation, checks, policy, progress, days=abs(identity.offset_days))
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


def harvest(pool: Workers, files: Sequence[Path], policy: ProjectPolicy, patient: str = "") -> Inputs:
    """Collect what all inputs of a patient say.

    :param patient: tells the patients of one pool from each other.
    """
    evidence, unreadable = Evidence(), 0
    institutions = "retain_institution_identity" not in policy.deidentify.options
    for _path, found in pool.run(make_harvester, (institutions, patient), files):
        if isinstance(found, Harvested):
            evidence.update(found.evidence)
            evidence.patients |= {found.patient} if found.patient[0] else set()
            evidence.studies |= {found.uids[0]} - {""}
        else:
            unreadable += 1
    return Inputs(evidence, unreadable)


def expectation_of(policy: ProjectPolicy, evidence: Evidence, subject: str | None, event: str = "") -> Expectation:
    """Return what a project's outputs must be like.

    :param subject: research subject id; None when it isn't known.
    :param event: name of the event, or empty.
    """
    settings = policy.deidentify
    return Expectation(
        evidence=evidence,
        marks=Marks(subject, policy.name, frozenset(settings.options), event, policy.identity.accession != "empty"),
        edition=settings.edition,
        # What the outputs carry on purpose.
        public=(subject or "", policy.name, event),
        override=override_of(settings),
        private=private_of(settings),
    )


def inspect(
    pool: Workers,
    expectation: Expectation,
    checks: Sequence[Check],
    policy: ProjectPolicy,
    progress: Progress | None = None,
    days: int = 0,
) -> Problems:
    """Inspect outputs one by one and together; return what is wrong, by instance, empty for those that pass.

    :param days: by how many days dates may move even where the policy's largest number is smaller.
    """
    problems: Problems = {check.instance_id: [] for check in checks}
    keep_uids = "retain_uids" in policy.deidentify.options
    study = Study(
        keep_uids=keep_uids,
        largest_days=max(policy.deidentify.max_shift_days, days),
        each_study=policy.deidentify.shift_by == "study",
    )
    for done, (check, found) in enumerate(pool.run(make_inspector, expectation, checks), start=1):
        if isinstance(found, Inspected):
            study.add(check.instance_id, found)
            problems[check.instance_id] += found.found.problems
        else:
            assert isinstance(found, Lost)
            problems[check.instance_id].append(Problem("file", "inspecting it took too long, or too much memory"))
        if progress is not None:
            progress(done, len(checks))
    for name, found_together in study.problems().items():
        problems[name] += found_together
    return {name: list(dict.fromkeys(found)) for name, found in problems.items()}


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
