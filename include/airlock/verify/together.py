"""What is done with all files of a patient: inputs are harvested, outputs inspected, one by one and together.

It knows nothing of transfers, so that a folder is verified without what those need.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from airlock.dicomio.progress import Progress
from airlock.identity.evidence import Evidence
from airlock.tuples import NamedTuple
from airlock.typed import Any, Protocol, TypeVar
from airlock.verify.checks import Check, Expectation, Inspected
from airlock.verify.duties import Marks
from airlock.verify.found import Problem
from airlock.verify.harvest import Harvested, make_harvester
from airlock.verify.inspectors import make_inspector
from airlock.verify.policy import Terms, override_of, private_of
from airlock.verify.study import Study
from airlock.workers import Lost, Workers

# Reading a header and comparing pixels takes so little time that few files aren't worth the start of a worker.
_TASKS_WORTH_A_WORKER = 100
# So many outputs are inspected together; one of them may take so long.
_TOGETHER, _SECONDS = 64, 120.0
Problems = dict[str, list[Problem]]
Batch = list[tuple[Any, ...]]
"""What :meth:`Check.plain` told of several outputs of a patient."""


class Project(Protocol):
    """A project: of :class:`airlock.project.ProjectPolicy`, what verification needs."""

    @property
    def name(self) -> str:
        """Of the project."""

    @property
    def deidentify(self) -> Terms:
        """How it is de-identified."""


class Inputs(NamedTuple):
    """The inputs of a patient.

    :param unreadable: how many no reader could read; whatever they hold, it cannot be searched for.
    """

    evidence: Evidence
    unreadable: int


class Inspection(NamedTuple):
    """What was found in the outputs of a patient.

    :param problems: by instance, empty for those that pass.
    :param subjects: research subjects that the outputs name.
    """

    problems: Problems
    subjects: set[str]


P = TypeVar("P", bound=str | os.PathLike[str])


def harvest(pool: Workers, files: Sequence[P], project: Project) -> dict[P, Harvested | None]:
    """Return what every input says, None of those that cannot be read, in the order of the files.

    What one of a patient's inputs says, the others don't repeat.
    """
    institutions = "retain_institution_identity" not in project.deidentify.options
    paths = [str(file) for file in files]
    results = pool.run(make_harvester, institutions, paths, worth_a_worker=_TASKS_WORTH_A_WORKER)
    said = {path: None if found is None or isinstance(found, Lost) else Harvested(*found) for path, found in results}
    return {file: said[path] for file, path in zip(files, paths, strict=True)}


def one_patient(said: Iterable[Harvested | None]) -> Inputs:
    """Return what all inputs of a patient say."""
    found = list(said)
    read = [one for one in found if one is not None]
    return Inputs(evidence_of(read), len(found) - len(read))


def evidence_of(read: Iterable[Harvested]) -> Evidence:
    """Return what inputs say together."""
    evidence = Evidence()
    for found in read:
        evidence.add(found.said)
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
    patients: Sequence[tuple[Expectation, Sequence[Check]]],
    project: Project,
    progress: Progress | None = None,
    days: int = 0,
) -> Iterator[tuple[int, Inspection]]:
    """Inspect outputs one by one and together; yield what was found in those of each patient, with its number.

    :param patients: what outputs must be like, and the outputs; of each patient at least one.
    :param days: by how many days dates may move even where the policy's largest number is smaller.
    """
    tasks = [(number, batch) for number, (_, checks) in enumerate(patients) for batch in _batches(checks)]
    waiting = Counter({number: len(checks) for number, (_, checks) in enumerate(patients)})
    open_ones: dict[int, _Patient] = {}
    total, done = waiting.total(), 0
    for number, checks, found in _inspected(pool, [expectation.plain() for expectation, _ in patients], tasks, total):
        patient = open_ones.get(number)
        if patient is None:
            patient = open_ones[number] = _Patient(project.deidentify, days)
        for check, each in zip(checks, found, strict=True):
            patient.add(check[0], each)
            done += 1
            if progress is not None:
                progress(done, total)
        waiting[number] -= len(checks)
        if not waiting[number]:
            yield number, open_ones.pop(number).inspection()


def _batches(checks: Sequence[Check]) -> Iterator[Batch]:
    plain = [check.plain() for check in checks]
    yield from (plain[start : start + _TOGETHER] for start in range(0, len(plain), _TOGETHER))


def _inspected(
    pool: Workers, expectations: Sequence[tuple[Any, ...]], tasks: Sequence[tuple[int, Batch]], total: int
) -> Iterator[tuple[int, Batch, list[Inspected | None]]]:
    """Inspect batches; yield each with what was found; None for what was lost with its worker even alone.

    :param total: number of outputs.
    """
    results = pool.run(
        make_inspector,
        expectations,
        tasks,
        lambda task: _SECONDS * len(task[1]),
        least_seconds=_SECONDS,
        alike=lambda task: task[0],
        worth_a_worker=1 + len(tasks) // (1 + total // _TASKS_WORTH_A_WORKER),
    )
    lost: list[tuple[int, Batch]] = []
    for (number, checks), found in results:
        if not isinstance(found, Lost):
            yield number, checks, list(map(Inspected.of, found))
        elif len(checks) == 1:
            yield number, checks, [None]
        else:
            lost += [(number, [check]) for check in checks]
    if lost:
        yield from _inspected(pool, expectations, lost, len(lost))


class _Patient:
    """What was found in the outputs of one patient so far."""

    def __init__(self, terms: Terms, days: int) -> None:
        self._problems: Problems = {}
        self._subjects: set[str] = set()
        self._study = Study(
            keep_uids="retain_uids" in terms.options,
            largest_days=max(terms.max_shift_days, days),
            each_study=terms.shift_by == "study",
        )

    def add(self, instance_id: str, found: Inspected | None) -> None:
        """Add what was found in one output; None when its worker was lost twice."""
        if found is None:
            problem = Problem("file", "inspecting it took too long, or too much memory")
            self._problems[instance_id] = [problem]
            return
        self._study.add(instance_id, found)
        self._problems[instance_id] = list(found.found.problems)
        self._subjects.add(found.patients[1])

    def inspection(self) -> Inspection:
        """Judge all of them together."""
        for name, found_together in self._study.problems().items():
            self._problems[name] += found_together
        problems = {name: list(dict.fromkeys(found)) for name, found in self._problems.items()}
        return Inspection(problems, self._subjects)
