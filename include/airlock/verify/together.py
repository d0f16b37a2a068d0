"""What is done with all files of a patient: inputs are harvested, outputs inspected, one by one and together.

It knows nothing of transfers, so that a folder is verified without what those need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from airlock.dicomio.progress import Progress
from airlock.identity.evidence import Evidence
from airlock.verify.duties import Marks
from airlock.verify.found import Problem
from airlock.verify.harvest import Harvested, make_harvester
from airlock.verify.inspect import Check, Expectation, Inspected, make_inspector
from airlock.verify.policy import Terms, override_of, private_of
from airlock.verify.study import Study
from airlock.workers import Lost, Workers

# Reading a header and comparing pixels takes so little time that few files aren't worth the start of a worker.
_TASKS_WORTH_A_WORKER = 100
Problems = dict[str, list[Problem]]


class Project(Protocol):
    """A project: of :class:`airlock.project.ProjectPolicy`, what verification needs."""

    @property
    def name(self) -> str:
        """Of the project."""

    @property
    def deidentify(self) -> Terms:
        """How it is de-identified."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a patient.

    :param unreadable: how many no reader could read; whatever they hold, it cannot be searched for.
    """

    evidence: Evidence
    unreadable: int


@dataclass
class Inspection:
    """What was found in the outputs of a patient.

    :param problems: by instance, empty for those that pass.
    :param subjects: research subjects that the outputs name.
    """

    problems: Problems
    subjects: set[str] = field(default_factory=set)


def harvest(pool: Workers, files: Sequence[Path], project: Project) -> dict[Path, Harvested | None]:
    """Return what every input says, None of those that cannot be read, in the order of the files.

    What one of a patient's inputs says, the others don't repeat.
    """
    institutions = "retain_institution_identity" not in project.deidentify.options
    results = pool.run(make_harvester, institutions, files, worth_a_worker=_TASKS_WORTH_A_WORKER)
    said = {path: found if isinstance(found, Harvested) else None for path, found in results}
    return {path: said[path] for path in files}


def one_patient(said: dict[Path, Harvested | None]) -> Inputs:
    """Return what all inputs of a patient say."""
    read = [found for found in said.values() if found is not None]
    return Inputs(evidence_of(read), len(said) - len(read))


def evidence_of(read: Iterable[Harvested]) -> Evidence:
    """Return what inputs say together."""
    evidence = Evidence()
    for found in read:
        evidence.update(found.evidence)
        evidence.patients |= {found.patient} if found.patient[0] else set()
        evidence.studies |= {found.uids[0]} - {""}
    return evidence


def expectation_of(project: Project, evidence: Evidence, subject: str | None, event: str = "") -> Expectation:
    """Return what a project's outputs must be like.

    :param subject: research subject id; None when it isn't known.
    :param event: name of the event, or empty.
    """
    settings, identity = project.deidentify, getattr(project, "identity", None)
    accessions = identity is not None and identity.accession != "empty"
    return Expectation(
        evidence=evidence,
        marks=Marks(subject, project.name, frozenset(settings.options), event, accessions),
        edition=settings.edition,
        # What the outputs carry on purpose.
        public=(subject or "", project.name, event),
        override=override_of(settings),
        private=private_of(settings),
    )


def inspect(
    pool: Workers,
    expectation: Expectation,
    checks: Sequence[Check],
    project: Project,
    progress: Progress | None = None,
    days: int = 0,
) -> Inspection:
    """Inspect outputs one by one and together.

    :param days: by how many days dates may move even where the policy's largest number is smaller.
    """
    settings = project.deidentify
    inspection = Inspection({check.instance_id: [] for check in checks})
    problems = inspection.problems
    study = Study(
        keep_uids="retain_uids" in settings.options,
        largest_days=max(settings.max_shift_days, days),
        each_study=settings.shift_by == "study",
    )
    results = pool.run(make_inspector, expectation, checks, worth_a_worker=_TASKS_WORTH_A_WORKER)
    for done, (check, found) in enumerate(results, start=1):
        if isinstance(found, Inspected):
            study.add(check.instance_id, found)
            problems[check.instance_id] += found.found.problems
            inspection.subjects.add(found.patients[1])
        else:
            assert isinstance(found, Lost)
            problems[check.instance_id].append(Problem("file", "inspecting it took too long, or too much memory"))
        if progress is not None:
            progress(done, len(checks))
    for name, found_together in study.problems().items():
        problems[name] += found_together
    inspection.problems = {name: list(dict.fromkeys(found)) for name, found in problems.items()}
    return inspection
