"""Verify a folder of outputs against the folder of their inputs, without a transfer: what `airlock verify` does."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from airlock.dicomio.progress import Progress
from airlock.errors import RefusedError
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from airlock.verify.found import Problem
from airlock.verify.harvest import Harvested, identity
from airlock.verify.inspect import Check
from airlock.verify.levels import Malformed
from airlock.verify.reader import Reader
from airlock.verify.together import Problems, Project, evidence_of, expectation_of, harvest, inspect
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


class FolderVerification:
    """Verifies the outputs of `airlock deidentify`.

    :param outputs: folder with outputs, at any depth; everything in it must be one.
    :param inputs: folder with the inputs, at any depth.
    :param subject: research subject id, when all outputs are of one patient and it was given.
    """

    def __init__(
        self, outputs: Path, inputs: Path, policy: Project, keys: KeyRing, *, subject: str | None, workers: int
    ) -> None:
        self._outputs, self._policy, self._keys, self._subject = outputs, policy, keys, subject
        self._workers = workers
        self._keep_uids = "retain_uids" in policy.deidentify.options
        self._uids = UidMap(keys, policy.name)
        self._files = _files_of(inputs)
        self.result = Verified(inputs=len(self._files))

    def run(self, progress: Progress | None = None) -> Verified:
        """Verify everything."""
        with Workers(self._workers, fork=True) as pool:
            said = harvest(pool, self._files, self._policy)
            inputs: dict[str, list[Harvested]] = defaultdict(list)
            by_new: dict[str, tuple[Path, str]] = {}
            for path, found in said.items():
                if found is not None:
                    inputs[found.key].append(found)
                    uid = found.uids[2]
                    by_new.setdefault(uid if self._keep_uids else self._uids(uid), (path, found.key))
            checks = self._checks(by_new)
            self._inspect(pool, checks, inputs, progress)
        return self.result

    def _checks(self, by_new: dict[str, tuple[Path, str]]) -> dict[str, list[Check]]:
        """Return what is to be inspected, by patient: every output beside the input that must have become it."""
        checks: dict[str, list[Check]] = defaultdict(list)
        used: set[str] = set()
        for number, path in enumerate(_files_of(self._outputs)):
            # What an output's name says, its inspection checks.
            new = path.stem if path.stem in by_new else _sop_instance_uid(path)
            instance_id = "i-" + self._keys.token("verify", new or f"unreadable output {number}", length=24)
            while instance_id in self.result.names:
                instance_id += "+"
            name = path.relative_to(self._outputs).as_posix()
            self.result.names[instance_id] = name
            source = by_new.get(new or "")
            if source is None or new is None:
                reason = "has no input, or none that can be read" if new else "cannot be read"
                self.result.problems[instance_id] = [Problem("file", reason)]
                continue
            used.add(new)
            checks[source[1]].append(Check(instance_id, path, name, source[0], expected=new))
        self.result.without_output = len(self._files) - len(used)
        return checks

    def _inspect(
        self,
        pool: Workers,
        checks: dict[str, list[Check]],
        inputs: dict[str, list[Harvested]],
        progress: Progress | None,
    ) -> None:
        total, before = sum(map(len, checks.values())), 0
        patients: dict[str, set[str]] = defaultdict(set)

        def show(done: int, _total: int | None) -> None:
            if progress is not None:
                progress(before + done, total)

        for patient, waiting in checks.items():
            expectation = expectation_of(self._policy, evidence_of(inputs[patient]), self._subject)
            inspection = inspect(pool, expectation, waiting, self._policy, show)
            self.result.problems |= inspection.problems
            before += len(waiting)
            for subject in inspection.subjects - {""}:
                patients[subject].add(patient)
        for patient in {each for several in patients.values() if len(several) > 1 for each in several}:
            for check in checks[patient]:
                problem = Problem("PatientID", "several patients have one research subject")
                self.result.problems[check.instance_id].append(problem)


def _files_of(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise RefusedError(f"A folder cannot be read: {error.strerror}. Correct its permissions.")

    walk = os.walk(folder, onerror=refuse)
    paths = (Path(parent) / name for parent, folders, names in walk for name in (*folders, *names))
    # A link that leads to no file is counted too: nothing that it may mean is known.
    return sorted(path for path in paths if path.is_file() or path.is_symlink())


def _sop_instance_uid(path: Path) -> str | None:
    try:
        file, descriptor = Reader(strict=True).open(path)
    except (Malformed, OSError, RecursionError, MemoryError):
        return None
    os.close(descriptor)
    return identity(file.dataset)[1][2]
