"""Verify a folder of outputs against the folder of their inputs, without a transfer: what `airlock verify` does."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from airlock.dicomio.progress import Progress
from airlock.errors import RefusedError
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from airlock.project import ProjectPolicy
from airlock.verify.found import Problem
from airlock.verify.harvest import identity
from airlock.verify.inspect import Check
from airlock.verify.levels import Malformed
from airlock.verify.reader import File, read_output
from airlock.verify.source import read_source
from airlock.verify.step import Problems, expectation_of, harvest, inspect
from airlock.workers import Workers


@dataclass
class Verified:
    """What became of a verification.

    :param problems: by pseudonymous instance id; empty for outputs that pass.
    :param names: path of each output below its folder, by instance id.
    :param inputs: number of files among the inputs.
    :param without_output: how many of them have none: skipped, held, or not DICOM.
    """

    problems: Problems = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    inputs: int = 0
    without_output: int = 0


@dataclass(frozen=True)
class _Input:
    path: Path
    patient: str
    sop_instance_uid: str


class FolderVerification:
    """Verifies the outputs of `airlock deidentify`.

    :param outputs: folder with outputs, at any depth; everything in it must be one.
    :param inputs: folder with the inputs, at any depth.
    :param subject: research subject id, when all outputs are of one patient and it was given.
    """

    def __init__(
        self, outputs: Path, inputs: Path, policy: ProjectPolicy, keys: KeyRing, *, subject: str | None, workers: int
    ) -> None:
        self._outputs, self._policy, self._keys, self._subject = outputs, policy, keys, subject
        self._workers = workers
        self._keep_uids = "retain_uids" in policy.deidentify.options
        self._uids = UidMap(keys, policy.name)
        self._files = _files_of(inputs)
        self.result = Verified(inputs=len(self._files))

    def run(self, progress: Progress | None = None) -> Verified:
        """Verify everything."""
        by_new, inputs = self._index()
        checks: dict[str, list[Check]] = defaultdict(list)
        used: set[str] = set()
        for number, path in enumerate(_files_of(self._outputs)):
            new = _sop_instance_uid(path, strict=True)
            instance_id = "i-" + self._keys.token("verify", new or f"unreadable output {number}", length=24)
            while instance_id in self.result.names:
                instance_id += "+"
            name = path.relative_to(self._outputs).as_posix()
            self.result.names[instance_id] = name
            source = by_new.get(new or "")
            if source is None:
                self.result.problems[instance_id] = [Problem("file", "has no input" if new else "cannot be read")]
                continue
            used.add(new or "")
            checks[source.patient].append(Check(instance_id, path, name, source.path))
        self.result.without_output = len(self._files) - len(used)
        self._inspect(checks, inputs, progress)
        return self.result

    def _index(self) -> tuple[dict[str, _Input], dict[str, list[Path]]]:
        """Return the inputs by the new UID that they must have, and by patient."""
        by_new: dict[str, _Input] = {}
        by_patient: dict[str, list[Path]] = defaultdict(list)
        for path in self._files:
            found = _identity(path)
            if found is None:
                continue
            by_patient[found.patient].append(path)
            uid = found.sop_instance_uid
            by_new.setdefault(uid if self._keep_uids else self._uids(uid), found)
        return by_new, by_patient

    def _inspect(
        self, checks: dict[str, list[Check]], inputs: dict[str, list[Path]], progress: Progress | None
    ) -> None:
        total, before = sum(map(len, checks.values())), 0

        def show(done: int, _total: int | None) -> None:
            if progress is not None:
                progress(before + done, total)

        with Workers(self._workers) as pool:
            for patient, waiting in checks.items():
                evidence = harvest(pool, inputs[patient], self._policy, patient).evidence
                expectation = expectation_of(self._policy, evidence, self._subject)
                self.result.problems |= inspect(pool, expectation, waiting, self._policy, show)
                before += len(waiting)
        self._one_subject_each(checks)

    def _one_subject_each(self, checks: dict[str, list[Check]]) -> None:
        """Check that no two patients became one research subject."""
        patients: dict[str, set[str]] = defaultdict(set)
        for patient, waiting in checks.items():
            patients[_patient_id(waiting[0].output)].add(patient)
        for waiting in checks.values():
            if len(patients[_patient_id(waiting[0].output)]) > 1:
                for check in waiting:
                    problem = Problem("PatientID", "several patients have one research subject")
                    self.result.problems[check.instance_id].append(problem)


def _files_of(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise RefusedError(f"A folder cannot be read: {error.strerror}. Correct its permissions.")

    paths = (Path(parent) / name for parent, _folders, names in os.walk(folder, onerror=refuse) for name in names)
    return sorted(path for path in paths if path.is_file())


def _opened(path: Path, *, strict: bool) -> Iterator[File]:
    try:
        file, descriptor = read_output(path) if strict else read_source(path)
    except (Malformed, OSError, RecursionError, MemoryError):
        return
    os.close(descriptor)
    yield file


def _sop_instance_uid(path: Path, *, strict: bool) -> str | None:
    return next((identity(file.dataset)[1][2] for file in _opened(path, strict=strict)), None)


def _patient_id(path: Path) -> str:
    return next((identity(file.dataset)[0][0] for file in _opened(path, strict=True)), "")


def _identity(path: Path) -> _Input | None:
    for file in _opened(path, strict=False):
        (patient_id, _issuer), (study, _series, instance) = identity(file.dataset)
        # Without a PatientID, the instances of a study are one patient's.
        return _Input(path, f"id {patient_id}" if patient_id else f"study {study}", instance)
    return None
