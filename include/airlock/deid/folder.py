"""De-identify a folder of files of any number of patients, without a transfer: what `airlock deidentify` does."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.deid.batch import Refused, Task, deidentify_all, harvest_all
from airlock.deid.offsets import date_offset
from airlock.deid.patient import Outcome, Patient
from airlock.deid.recipe import EngineName, Recipe, Written
from airlock.deid.terms import ProjectTerms
from airlock.dicomio.copying import same_content, sync
from airlock.dicomio.progress import Progress
from airlock.errors import RefusedError
from airlock.identity.dates import patient_key
from airlock.identity.evidence import Evidence
from airlock.identity.keys import KeyRing
from airlock.workers import Workers

if TYPE_CHECKING:
    from airlock.deid.known import KnownPatients

_PENDING = ".airlock-pending"
_TWO_PATIENTS = "Its study holds instances of more than one patient. Have the study corrected, or split it."


class FolderRun:
    """One run over a folder.

    :param source: folder with inputs, at any depth.
    :param target: folder for outputs.
    :param subject: research subject id; only for one patient. Others get a keyed pseudonym.
    :param engine: `plain` to do without the streaming engine.
    :param keep_paths: keep the inputs' relative paths where they hold no identifier.

    `known` says who patients become; where it is None, they get keyed pseudonyms.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        policy: ProjectTerms,
        keys: KeyRing,
        *,
        subject: str | None = None,
        keep_paths: bool = False,
        workers: int = 1,
        engine: EngineName = "stream",
    ) -> None:
        self._source, self._target, self._policy, self._keys = source, target, policy, keys
        self._subject, self._keep_paths, self._workers = subject, keep_paths, workers
        self._engine = engine
        self.known: KnownPatients | None = None
        self.patients: list[Patient] = []
        self._taken: set[str] = set()

    def run(self, progress: Progress | None = None) -> Iterator[Outcome]:
        """Yield what became of every input.

        :raises RefusedError: when a subject was given and there is more than one patient.
        """
        tasks = [Task(path.relative_to(self._source).as_posix(), path) for path in files_of(self._source)]
        done = 0
        with Workers(self._workers, fork=True) as pool:
            for outcome in self._run(pool, tasks):
                done += 1
                if progress is not None:
                    progress(done, len(tasks))
                yield outcome

    def _run(self, pool: Workers, tasks: list[Task]) -> Iterator[Outcome]:
        found: dict[str, Evidence] = {}
        for task, result in harvest_all(pool, tasks):
            if isinstance(result, Refused):
                yield Outcome(task.key, "held", result.reason)
            else:
                found[task.key] = result
        mixed = _mixed_studies(found.values())
        readable = [task for task in tasks if task.key in found]
        for task in readable:
            if found[task.key].studies & mixed:
                yield Outcome(task.key, "held", _TWO_PATIENTS)
        self._group([task for task in readable if not found[task.key].studies & mixed], found)
        pending = self._target / _PENDING
        try:
            pending.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(f"The output folder cannot be written: {error.strerror}.") from None
        try:
            for patient in self.patients:
                if self.known is not None:
                    yield from self.known.identify(patient)
                yield from self._deidentify(pool, patient, pending)
        finally:
            shutil.rmtree(pending, ignore_errors=True)
        sync(self._target)

    def _group(self, tasks: list[Task], found: dict[str, Evidence]) -> None:
        issuers: dict[str, set[str]] = defaultdict(set)
        for task in tasks:
            for patient_id, issuer in found[task.key].patients:
                issuers[patient_id].add(issuer)
        patients: dict[str, Patient] = {}
        for task in tasks:
            evidence = found[task.key]
            patient_id, issuer = min(evidence.patients, default=("", ""))
            # Where only some instances name the issuer, they belong to the same patient.
            if len(known := issuers[patient_id] - {""}) == 1:
                issuer = next(iter(known))
            key = patient_key(patient_id, issuer, min(evidence.studies, default=""))
            if key not in patients:
                pseudonym = "P-" + self._keys.token(f"patient/{self._policy.name}", key, length=13).upper()
                patients[key] = Patient(key, patient_id, self._subject or pseudonym, issuer=issuer)
            patients[key].tasks.append(task)
            patients[key].studies[task.key] = min(evidence.studies, default="")
            patients[key].evidence.update(evidence)
        self.patients = list(patients.values())
        if self._subject is not None and len(patients) > 1:
            raise RefusedError(
                f"The folder holds {len(patients)} patients, and one subject was given for them. "
                "Leave out --subject, or give one patient's folder."
            )

    def recipe(self, patient: Patient, study: str = "") -> Recipe:
        """Return how a patient's instances are de-identified.

        :param study: StudyInstanceUID, where the dates of every study move by their own offset.
        """
        policy = self._policy.deidentify
        recipe = Recipe(
            keys=self._keys,
            project=self._policy.name,
            subject=patient.subject,
            event="",
            edition=policy.edition,
            options=policy.options,
            days=date_offset(self._keys, self._policy.name, policy, patient.key, study),
            evidence=patient.evidence,
            policy=policy,
            engine=self._engine,
        )
        return recipe if self.known is None else self.known.recipe(recipe, patient, study)

    def _deidentify(self, pool: Workers, patient: Patient, pending: Path) -> Iterator[Outcome]:
        tasks = [Task(task.key, task.source, name=f"{number}.dcm") for number, task in enumerate(patient.tasks)]
        if self.known is None and self._policy.deidentify.shift_by == "patient":
            yield from self._deidentify_tasks(pool, self.recipe(patient), pending, tasks)
            return
        for study in sorted({patient.studies[task.key] for task in patient.tasks}):
            own = [task for task in tasks if patient.studies[task.key] == study]
            yield from self._deidentify_tasks(pool, self.recipe(patient, study), pending, own)

    def _deidentify_tasks(self, pool: Workers, recipe: Recipe, pending: Path, tasks: list[Task]) -> Iterator[Outcome]:
        keep = self._harmless_paths(recipe, tasks) if self._keep_paths else set()
        for task, result in _in_order(tasks, deidentify_all(pool, recipe, pending, tasks)):
            if isinstance(result, Refused):
                yield Outcome(task.key, "held", result.reason)
            else:
                yield self._place(task.key, result, pending, task.key if task.key in keep else result.place)

    @staticmethod
    def _harmless_paths(recipe: Recipe, tasks: list[Task]) -> set[str]:
        from airlock.deid.instance import Deidentifier  # noqa: PLC0415 - as in `uid_map`

        identifiers = Deidentifier(recipe).identifiers
        return {task.key for task in tasks if not identifiers.find(task.key)}

    def _place(self, name: str, written: Written, pending: Path, place: str) -> Outcome:
        made, target = f"{pending}/{written.path}", f"{self._target}/{place}"
        if place in self._taken:
            if same_content(Path(made), Path(target)):
                return Outcome(name, "skipped", "Another input is the same instance with the same content.")
            return Outcome(name, "held", "Another input has the same SOPInstanceUID and other content.")
        self._taken.add(place)
        try:
            os.rename(made, target)  # noqa: PTH104 - making paths takes longer than the call
        except FileNotFoundError:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(made).replace(target)
        return Outcome(name, "out", output=place)

    def uid_map(self) -> Iterator[tuple[str, str]]:
        """Yield every UID of the inputs that changes, with its new one."""
        if "retain_uids" in self._policy.deidentify.options:
            return
        from airlock.identity.uids import UidMap  # noqa: PLC0415 - it imports pydicom, which only workers need otherwise

        uids = UidMap(self._keys, self._policy.name)
        made = {uid: patient.uids(uids)(uid) for patient in self._told() for uid in patient.evidence.uids}
        yield from sorted(made.items())

    def patient_map(self) -> Iterator[tuple[str, str]]:
        """Yield every PatientID of the inputs with its new one."""
        yield from sorted((patient.patient_id, patient.subject) for patient in self._told() if patient.patient_id)

    def _told(self) -> list[Patient]:
        """Return the patients of whom it was decided who they become."""
        return [patient for patient in self.patients if self.known is None or patient.identities]


def _in_order(
    tasks: Sequence[Task], results: Iterable[tuple[Task, Written | Refused]]
) -> Iterator[tuple[Task, Written | Refused]]:
    """Yield results in the order of their tasks: of two inputs that are the same instance, the first one goes out."""
    waiting: dict[str, Written | Refused] = {}
    following = iter(tasks)
    task = next(following, None)
    for done, result in results:
        waiting[done.key] = result
        while task is not None and task.key in waiting:
            yield task, waiting.pop(task.key)
            task = next(following, None)


def files_of(folder: Path) -> list[Path]:
    """Return every file below a folder, in order of path, and every link that leads to none: that will be held.

    :raises RefusedError: when a folder cannot be read: files in it would be missing from every count.
    """

    def refuse(error: OSError) -> None:
        raise RefusedError(f"A folder below the input cannot be read: {error.strerror}. Correct its permissions.")

    walk = os.walk(folder, onerror=refuse)
    paths = (Path(parent) / name for parent, folders, names in walk for name in (*folders, *names))
    return sorted(path for path in paths if path.is_file() or path.is_symlink())


def _mixed_studies(found: Iterable[Evidence]) -> set[str]:
    """Return the studies whose instances have more than one PatientID."""
    patients: dict[str, set[str]] = defaultdict(set)
    for evidence in found:
        for study in evidence.studies:
            patients[study].update(patient_id for patient_id, _issuer in evidence.patients)
    return {study for study, ids in patients.items() if len(ids) > 1}
