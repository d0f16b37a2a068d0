"""Studies whose instances refer to each other: as consistent after de-identification as before, dates and UIDs too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from airlock.deid.folder import FolderRun
from airlock.dicomio.quiet import quiet
from airlock.identity.keys import KeyRing
from airlock.project import ProjectPolicy
from airlock.verify.folder import FolderVerification
from tests import peers
from tests.component.deid.test_readers import FEW_CLASSES, WHOLE
from tests.component.deid.test_readers import SETS as READER_SETS
from tests.every_class import classes, one_of
from tests.readers import study_problems
from tests.related import write_studies

MODIFIED, FULL = "retain_longitudinal_modified_dates", "retain_longitudinal_full_dates"
# Colour palette and implant template: their modules have no patient, but these objects name one.
WITHOUT_PATIENT = ("1.2.840.10008.5.1.4.39.1", "1.2.840.10008.5.1.4.43.1")
KEYS = KeyRing(b"k" * 32)
SETS: dict[str, dict[str, object]] = {
    "basic": {},
    "uids": {"options": ["retain_uids"]},
    "modified": {"options": [MODIFIED]},
    "modified, by study": {"options": [MODIFIED], "shift_by": "study"},
    "full, uids": {"options": [FULL, "retain_uids"]},
    "patient": {"options": [MODIFIED, "retain_patient_characteristics", "clean_descriptors"], "round_age_years": 5},
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("related") / "in"
    with quiet():
        write_studies(folder)
    return folder


def deidentified(inputs: Path, target: Path, policy: ProjectPolicy) -> dict[str, Path]:
    """De-identify; return outputs by the names of their inputs."""
    run = FolderRun(inputs, target, policy, KEYS)
    outcomes = list(run.run())
    assert {outcome.kind for outcome in outcomes} == {"out"}
    return {outcome.name: target / (outcome.output or "") for outcome in outcomes}


@pytest.mark.parametrize("name", SETS)
def test_studies_stay_consistent(name: str, inputs: Path, tmp_path: Path) -> None:
    peers.require("dcentvfy")
    policy = ProjectPolicy(name="P", deidentify=SETS[name])
    outputs = deidentified(inputs, tmp_path / "out", policy)
    studies: dict[str, list[str]] = defaultdict(list)
    for name_in in outputs:
        studies[name_in.split("/", maxsplit=1)[0]].append(name_in)
    assert len(studies) == 3
    groups = [*studies.values(), list(outputs)]
    for group in groups:
        before = study_problems([inputs / each for each in group])
        assert study_problems([outputs[each] for each in group]) - before == frozenset()
    references_lead_somewhere(inputs, outputs, keep="retain_uids" in policy.deidentify.options)
    verification = FolderVerification(tmp_path / "out", inputs, policy, KEYS, subject=None, workers=1)
    assert not any(verification.run().problems.values())


def test_what_dcentvfy_would_say(inputs: Path, tmp_path: Path) -> None:
    peers.require("dcentvfy")
    outputs = list(deidentified(inputs, tmp_path / "out", ProjectPolicy(name="P")).values())
    assert not [line for line in study_problems(outputs) if line.startswith("Error")]
    ds = pydicom.dcmread(outputs[0])
    ds.StudyID = "other"
    ds.save_as(outputs[0])
    assert [line for line in study_problems(outputs) if "Element=<StudyID> IE=<Study>" in line]


@pytest.mark.parametrize("name", READER_SETS if WHOLE else ("all",))
@pytest.mark.timeout(600)
def test_one_object_of_every_class_in_one_study(name: str, tmp_path: Path) -> None:
    peers.require("dcentvfy")
    inputs = tmp_path / "in"
    inputs.mkdir()
    chosen = classes() if WHOLE else (*FEW_CLASSES, *WITHOUT_PATIENT)
    for number, uid in enumerate(chosen):
        ds = one_of(uid, number=number)
        ds.SeriesInstanceUID = f"{ds.SeriesInstanceUID}.{number}"
        # Some modules ask for the species, and animals have attributes of their own: here all are the same one.
        ds.PatientSpeciesDescription = "Canis lupus"
        with quiet():
            dcmwrite(inputs / f"{number}.dcm", ds, enforce_file_format=True)
    policy = ProjectPolicy(name="P", deidentify={"options": READER_SETS[name]})
    outcomes = [outcome for outcome in FolderRun(inputs, tmp_path / "out", policy, KEYS).run() if outcome.output]
    before = study_problems([inputs / outcome.name for outcome in outcomes])
    after = study_problems([tmp_path / "out" / (outcome.output or "") for outcome in outcomes])
    # Of classes that it does not know, dcentvfy cannot say whose attributes those are that every output has.
    assert {line for line in after - before if "<Unknown>" not in line} == set()
    assert len(outcomes) == (173 if WHOLE else len(chosen))


def references_lead_somewhere(inputs: Path, outputs: dict[str, Path], *, keep: bool) -> None:
    """Check that every reference of an input is, at the same place, one to the output of what it was to."""
    new: dict[str, str] = {}
    pairs = []
    for name, path in outputs.items():
        old = pydicom.dcmread(inputs / name)
        pairs.append((old, pydicom.dcmread(path)))
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
            if keyword in old:
                assert new.setdefault(old[keyword].value, pairs[-1][1][keyword].value) == pairs[-1][1][keyword].value
    assert all((old == after) == keep for old, after in new.items())
    seen = 0
    for old, after in pairs:
        before = [uid for _place, uid in uids(old) if uid in new]
        left = [uid for _place, uid in uids(after) if uid in new.values()]
        assert left == [new[uid] for uid in before]
        seen += len(before)
    assert seen == 86


def uids(ds: Dataset, place: str = "") -> Iterator[tuple[str, str]]:
    for element in ds:
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from uids(item, f"{place}/{element.tag}[{number}]")
        elif element.VR == "UI" and element.value:
            yield f"{place}/{element.tag}", str(element.value)


@pytest.mark.parametrize("by", ["patient", "study"])
def test_intervals_survive(by: str, inputs: Path, tmp_path: Path) -> None:
    policy = ProjectPolicy(name="P", deidentify={"options": [MODIFIED], "shift_by": by})
    offsets: dict[str, set[int]] = defaultdict(set)
    for name, path in deidentified(inputs, tmp_path / "out", policy).items():
        old, new = pydicom.dcmread(inputs / name), pydicom.dcmread(path)
        moved = list(zip(days(old), days(new), strict=True))
        assert moved
        offsets[str(old.StudyInstanceUID)] |= {after - before for before, after in moved}
    assert [len(each) for each in offsets.values()] == [1, 1, 1]
    assert len(set.union(*offsets.values())) == (1 if by == "patient" else 3)


def days(ds: Dataset) -> list[int]:
    """Return every date that is not the patient's own, as a number of days, in order."""
    found = []
    for element in ds:
        if element.VR == "SQ":
            found += [day for item in element.value for day in days(item)]
        elif element.VR in ("DA", "DT") and element.value and element.keyword != "PatientBirthDate":
            text = str(element.value)
            found.append(date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal())
    return found
