"""De-identify a folder of files of any number of patients, without a transfer: what `airlock deidentify` does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain

from airlock.deid.batch import Refused, Task, deidentify_all, first_pass, in_order
from airlock.deid.frame import Frame
from airlock.deid.patient import Outcome
from airlock.deid.places import Places, remove
from airlock.deid.release import Release
from airlock.deid.sources import Found, Sources, files_of
from airlock.dicomio.copying import sync
from airlock.dicomio.progress import Progress, no_progress
from airlock.errors import RefusedError
from airlock.typed import TYPE_CHECKING
from airlock.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.known import KnownPatients
    from airlock.deid.patient import Patient
    from airlock.deid.policy import ProjectTerms
    from airlock.deid.recipe import EngineName, Recipe
    from airlock.identity.keys import KeyRing

_PENDING = ".airlock-pending"
_TWO_PATIENTS = "Its study holds instances of more than one patient. Have the study corrected, or split it."


class FolderRun:
    """One run over a folder.

    :param source: folder with inputs, at any depth.
    :param target: folder for outputs.
    :param subject: research subject id; only for one patient. Others get a keyed pseudonym.
    :param engine: `plain` to do without the streaming engine.
    :param keep_paths: keep the inputs' relative paths where they hold no identifier.

    `known` says who patients become; where it is None, they get keyed pseudonyms. `watched` is whether another process
    does all of it again if this one ends before (:mod:`airlock.cli.watched`).
    """

    def __init__(
        self,
        source: str | Path,
        target: str | Path,
        policy: ProjectTerms,
        keys: KeyRing,
        *,
        subject: str | None = None,
        keep_paths: bool = False,
        workers: int = 1,
        engine: EngineName = "stream",
    ) -> None:
        self._source, self._target = str(source), str(target)
        self._frame = Frame(keys, policy.name, policy.deidentify, subject, engine)
        self._keep_paths, self._workers = keep_paths, workers
        self.known: KnownPatients | None = None
        self.watched = False
        self.patients: list[Patient] = []
        self._release = Release()

    def run(self, progress: Progress | None = None) -> Iterator[Outcome]:
        """Yield what became of every input.

        :param progress: called with (done, total) inputs.
        :raises RefusedError: when a subject was given and there is more than one patient.
        """
        paths = files_of(self._source)
        above = len(os.path.join(self._source, ""))  # noqa: PTH118 - with the slash at its end
        tasks = [Task(path[above:], path, name=f"{number}.dcm") for number, path in enumerate(paths)]
        pending = f"{self._target}/{_PENDING}"
        self._places = Places(pending, self._target)
        try:
            # What a killed run left was not checked to the end.
            remove(pending)
            os.makedirs(pending, 0o700, exist_ok=True)  # noqa: PTH103 - pathlib takes longer to import than to use
        except OSError as error:
            raise RefusedError(f"The output folder cannot be written: {error.strerror}.") from None
        try:
            with Workers(self._workers, fork=True, here=self.watched) as pool:
                yield from self._run(pool, tasks, pending, progress or no_progress)
        finally:
            remove(pending)
        sync(self._target)

    def _run(self, pool: Workers, tasks: list[Task], pending: str, progress: Progress) -> Iterator[Outcome]:
        found: dict[str, Found] = {}
        sources = Sources(self._release)
        done = 0
        # Who patients become, an identity store says when all is harvested.
        frame = self._frame._replace(writes=self.known is None)
        for key, result in first_pass(pool, frame, pending, tasks):
            if isinstance(result, Refused):
                yield Outcome(key, "held", result.reason)
                done += 1
            else:
                found[key] = noted = sources.note(result)
                done += noted.written is not None
            progress(done, len(tasks))
        mixed = sources.mixed_studies()
        readable = [task for task in tasks if task.key in found]
        if mixed:
            for task in readable:
                if found[task.key].evidence.studies & mixed:
                    yield Outcome(task.key, "held", _TWO_PATIENTS)
            readable = [task for task in readable if not found[task.key].evidence.studies & mixed]
        self.patients = sources.patients(readable, found, self._frame.subject_of)
        if self._frame.subject is not None and len(self.patients) > 1:
            raise RefusedError(
                f"The folder holds {len(self.patients)} patients, and one subject was given for them. "
                "Leave out --subject, or give one patient's folder."
            )
        for patient in self.patients:
            held = self.known.identify(patient) if self.known is not None else ()
            for outcome in chain(held, self._deidentify(pool, patient, pending, found)):
                yield outcome
                done = min(done + (found[outcome.name].written is None), len(tasks))
                progress(done, len(tasks))

    def _deidentify(self, pool: Workers, patient: Patient, pending: str, found: dict[str, Found]) -> Iterator[Outcome]:
        by_study = self.known is not None or self._frame.policy.shift_by != "patient"
        for study in sorted({patient.studies[task.key] for task in patient.tasks}) if by_study else [""]:
            recipe = self._frame.recipe(patient.key, study, patient.evidence)
            if self.known is not None:
                recipe = self.known.recipe(recipe, patient, study)
            tasks = [task for task in patient.tasks if not by_study or patient.studies[task.key] == study]
            yield from self._deidentify_tasks(pool, patient.key, recipe, pending, tasks, found)

    def _deidentify_tasks(
        self, pool: Workers, key: str, recipe: Recipe, pending: str, tasks: list[Task], found: dict[str, Found]
    ) -> Iterator[Outcome]:
        """Let outputs of the first pass go out, and make the others anew."""
        keep = self._harmless_paths(recipe, tasks) if self._keep_paths else set()
        again = [task for task in tasks if not self._release.may_go(found[task.key].opened, key, recipe)]
        left = {task.key for task in again}
        made = [(task, first) for task in tasks if task.key not in left and (first := found[task.key].written)]
        if not again and not keep:
            self._places.put_folders([first for _, first in made])
        made_anew = deidentify_all(pool, recipe, pending, again) if again else ()
        for task, result in in_order(tasks, chain(made, made_anew)):
            if isinstance(result, Refused):
                yield Outcome(task.key, "held", result.reason)
            else:
                yield self._places.put(task.key, result, task.key if task.key in keep else result.place)

    @staticmethod
    def _harmless_paths(recipe: Recipe, tasks: list[Task]) -> set[str]:
        from airlock.deid.instance import Deidentifier  # noqa: PLC0415 - as in `uid_map`

        identifiers = Deidentifier(recipe).identifiers
        return {task.key for task in tasks if not identifiers.find(task.key)}

    def uid_map(self) -> Iterator[tuple[str, str]]:
        """Yield every UID of the inputs that changes, with its new one."""
        if "retain_uids" in self._frame.policy.options:
            return
        from airlock.identity.uids import UidMap  # noqa: PLC0415 - it imports pydicom, which only workers need otherwise

        uids = UidMap(self._frame.keys, self._frame.project)
        made = {uid: patient.uids(uids)(uid) for patient in self._told() for uid in patient.evidence.uids}
        yield from sorted(made.items())

    def patient_map(self) -> Iterator[tuple[str, str]]:
        """Yield every PatientID of the inputs with its new one."""
        yield from sorted((patient.patient_id, patient.subject) for patient in self._told() if patient.patient_id)

    def _told(self) -> list[Patient]:
        """Return the patients of whom it was decided who they become."""
        return [patient for patient in self.patients if self.known is None or patient.identities]
