"""Whose the inputs of a folder are, by what the first pass tells of them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable

from airlock.deid.frame import key_of, study_of
from airlock.deid.patient import Patient
from airlock.deid.recipe import Written
from airlock.deid.release import Release
from airlock.errors import RefusedError
from airlock.identity.evidence import Evidence
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.deid.batch import Task
    from airlock.deid.first import Name, Told


class Found(NamedTuple):
    """What the first pass found of an input.

    :param evidence: of all inputs that say the same patient and the same study.
    :param written: None when only the second pass can write it.
    :param opened: names what it was written with.
    """

    evidence: Evidence
    written: Written | None
    opened: Name | None


class Sources:
    """Takes in what inputs say. It holds patient data: never log it.

    :param release: is told what it needs to decide on outputs.
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self._said: dict[tuple[frozenset[tuple[str, str]], frozenset[str]], Evidence] = {}

    def note(self, told: Told) -> Found:
        """Take in what the first pass tells of a file."""
        said, written, opened, basis, asked = told
        source = frozenset(said.pop("patients", ())), frozenset(said.pop("studies", ()))
        evidence = self._said.get(source)
        if evidence is None:
            evidence = self._said[source] = Evidence(patients=set(source[0]), studies=set(source[1]))
        evidence.add(said)
        if opened is not None and (basis or asked):
            self.release.note(opened, evidence, basis, asked)
        return Found(evidence, None if written is None else Written(*written), opened)

    def patients(self, tasks: list[Task], found: dict[str, Found], subject_of: Callable[[str], str]) -> list[Patient]:
        """Return the patients that inputs belong to, in the order of the inputs.

        :param subject_of: who a patient becomes, by what tells patients from others.
        """
        issuers: dict[str, set[str]] = defaultdict(set)
        patients: dict[str, Patient] = {}
        # Of the inputs that say the same patient and the same study, the evidence is the same object.
        whose: dict[int, tuple[Patient, str]] = {}
        said = list({id(evidence): evidence for evidence in (found[task.key].evidence for task in tasks)}.values())
        for evidence in said:
            for patient_id, issuer in evidence.patients:
                issuers[patient_id].add(issuer)
        for evidence in said:
            patient_id, issuer = min(evidence.patients, default=("", ""))
            # Where only some instances name the issuer, they belong to the same patient.
            if len(known := issuers[patient_id] - {""}) == 1:
                issuer = next(iter(known))
            key = key_of(evidence, issuer)
            patient = patients.get(key)
            if patient is None:
                patient = patients[key] = Patient(key, patient_id, subject_of(key), issuer=issuer)
            patient.evidence.update(evidence)
            whose[id(evidence)] = patient, study_of(evidence)
        for task in tasks:
            patient, study = whose[id(found[task.key].evidence)]
            patient.tasks.append(task)
            patient.studies[task.key] = study
        return list(patients.values())

    def mixed_studies(self) -> set[str]:
        """Return the studies whose instances have more than one PatientID."""
        patients: dict[str, set[str]] = defaultdict(set)
        for evidence in self._said.values():
            for study in evidence.studies:
                patients[study].update(patient_id for patient_id, _issuer in evidence.patients)
        return {study for study, ids in patients.items() if len(ids) > 1}


def files_of(folder: str | Path) -> list[str]:
    """Return every file below a folder, in order of path, and every link that leads to none: that will be held.

    :raises RefusedError: when a folder cannot be read: files in it would be missing from every count.
    """
    found: list[str] = []
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_symlink() or entry.is_file():
                        found.append(entry.path)
        except OSError as error:
            raise RefusedError(
                f"A folder below the input cannot be read: {error.strerror}. Correct its permissions."
            ) from None
    # As paths are compared, folder by folder.
    return sorted(found, key=lambda path: path.split("/"))
