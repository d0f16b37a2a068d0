"""Verify a folder of outputs against the folder of their inputs, without a transfer: what `airlock verify` does."""

from __future__ import annotations

import os
from collections import Counter, defaultdict

from airlock.dicomio.progress import Progress
from airlock.errors import RefusedError
from airlock.identity.evidence import Evidence
from airlock.identity.keys import KeyRing
from airlock.identity.uids import UidMap
from airlock.verify.checks import Check
from airlock.verify.found import Problem
from airlock.verify.harvest import Harvested, identity
from airlock.verify.levels import Malformed
from airlock.verify.reader import Reader
from airlock.verify.together import Problems, Project, evidence_of, expectation_of, harvest, inspect
from airlock.workers import Workers

Place = str | os.PathLike[str]


class Verified:
    """What became of a verification.

    :param inputs: number of files among the inputs.
    :ivar problems: by path of each output below its folder; empty for outputs that pass.
    :ivar without_output: how many inputs have none: skipped, held, or not DICOM.
    """

    def __init__(self, inputs: int, keys: KeyRing) -> None:
        self.inputs, self._keys = inputs, keys
        self.problems: Problems = {}
        self.without_output = 0
        self._named: dict[str, str] = {}
        self._times: Counter[str] = Counter()

    def name(self, output: str, what: str) -> None:
        """Say what an output is named by.

        :param output: its path below its folder.
        :param what: its UID, or what else there is.
        """
        self._named[output] = what + "+" * self._times[what]
        self._times[what] += 1

    def instance_id(self, output: str) -> str:
        """Return the pseudonymous instance id of an output. Few are ever asked for, which is why it is made late."""
        what = self._named[output]
        bare = what.rstrip("+")
        return f"i-{self._keys.token('verify', bare, length=24)}{what[len(bare) :]}"

    def by_instance(self, *, wrong: bool) -> tuple[Problems, dict[str, str]]:
        """Return problems, and paths, by pseudonymous instance id.

        :param wrong: whether only of the outputs that have problems.
        """
        ids = {output: self.instance_id(output) for output, found in self.problems.items() if found or not wrong}
        return {ids[output]: self.problems[output] for output in ids}, {each: output for output, each in ids.items()}


class FolderVerification:
    """Verifies the outputs of `airlock deidentify`.

    :param outputs: folder with outputs, at any depth; everything in it must be one.
    :param inputs: folder with the inputs, at any depth.
    :param subject: research subject id, when all outputs are of one patient and it was given.
    """

    def __init__(
        self, outputs: Place, inputs: Place, policy: Project, keys: KeyRing, *, subject: str | None, workers: int
    ) -> None:
        self._outputs, self._policy, self._keys, self._subject = os.fspath(outputs), policy, keys, subject
        self._workers = workers
        self._keep_uids = "retain_uids" in policy.deidentify.options
        self._uids = UidMap(keys, policy.name)
        self._files = _files_of(os.fspath(inputs))
        self.result = Verified(len(self._files), keys)

    def run(self, progress: Progress | None = None) -> Verified:
        """Verify everything."""
        with Workers(self._workers, fork=True) as pool:
            said = harvest(pool, self._files, self._policy)
            inputs: dict[str, list[Harvested]] = defaultdict(list)
            by_new: dict[str, tuple[str, str]] = {}
            for path, found in said.items():
                if found is not None:
                    inputs[found.key].append(found)
                    uid = found.uids[2]
                    by_new.setdefault(uid if self._keep_uids else self._uids(uid), (path, found.key))
            # The same workers know what they read of the inputs.
            self._inspect(pool, self._checks(by_new), inputs, progress)
        return self.result

    def _checks(self, by_new: dict[str, tuple[str, str]]) -> dict[str, list[Check]]:
        """Return what is to be inspected, by patient: every output beside the input that must have become it."""
        checks: dict[str, list[Check]] = defaultdict(list)
        used: set[str] = set()
        for number, path in enumerate(_files_of(self._outputs)):
            # What an output's name says, its inspection checks.
            stem = path.rsplit("/", 1)[-1].removesuffix(".dcm")
            new = stem if stem in by_new else _sop_instance_uid(path)
            name = path[len(self._outputs.rstrip("/")) + 1 :]
            self.result.name(name, new or f"unreadable output {number}")
            source = by_new.get(new or "")
            if source is None or new is None:
                reason = "has no input, or none that can be read" if new else "cannot be read"
                self.result.problems[name] = [Problem("file", reason)]
                continue
            used.add(new)
            checks[source[1]].append(Check(name, path, name, source[0], expected=new))
        self.result.without_output = len(self._files) - len(used)
        return checks

    def _inspect(
        self,
        pool: Workers,
        checks: dict[str, list[Check]],
        inputs: dict[str, list[Harvested]],
        progress: Progress | None,
    ) -> None:
        subjects: dict[str, set[str]] = defaultdict(set)
        names = list(checks)
        anybody = expectation_of(self._policy, Evidence(), self._subject)
        expected = [anybody._replace(evidence=evidence_of(inputs[name])) for name in names]
        waiting = list(zip(expected, checks.values(), strict=True))
        for number, inspection in inspect(pool, waiting, self._policy, progress):
            self.result.problems |= inspection.problems
            for subject in inspection.subjects - {""}:
                subjects[subject].add(names[number])
        for patient in {each for several in subjects.values() if len(several) > 1 for each in several}:
            for check in checks[patient]:
                problem = Problem("PatientID", "several patients have one research subject")
                self.result.problems[check.instance_id].append(problem)


def _files_of(folder: str) -> list[str]:
    """Return all files below a folder, in order. A link is never followed, and counts as a file.

    Nothing is known of what a link may mean that leads to none.
    """
    found: list[str] = []
    waiting = [folder.rstrip("/") or "/"]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False) or entry.is_symlink():
                        found.append(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError as error:
            raise RefusedError(f"A folder cannot be read: {error.strerror}. Correct its permissions.") from None
    return sorted(found, key=lambda path: path.split("/"))


def _sop_instance_uid(path: str) -> str | None:
    try:
        file, descriptor = Reader(strict=True).open(path)
    except (Malformed, OSError, RecursionError, MemoryError):
        return None
    os.close(descriptor)
    return identity(file.dataset)[1][2]
