"""Every output is read by every reader on the machine, is as valid as its input, passes verification, and is the same
bytes when it is made again.

The test suite proves it on a few objects. All of them, one of every storage SOP class and every sample that pydicom
ships, take minutes: `AIRLOCK_TEST_WHOLE=true pytest tests/component/deid/test_readers.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.filewriter import dcmwrite

from airlock.dicomio.quiet import quiet
from airlock.project import ProjectPolicy
from airlock.verify.harvest import Harvested, Harvester
from airlock.verify.inspect import Check, Inspector
from airlock.verify.study import Study
from airlock.verify.together import expectation_of
from tests import peers
from tests.component.deid.test_samples import SAMPLES, deidentify
from tests.every_class import PLANTED, classes, one_of
from tests.readers import PROGRAMS, errors, unread

WHOLE = os.environ.get("AIRLOCK_TEST_WHOLE", "").lower() == "true"
PARTS = 4
MODIFIED, FULL = "retain_longitudinal_modified_dates", "retain_longitudinal_full_dates"
OTHERS = (
    "clean_descriptors",
    "clean_graphics",
    "clean_structured_content",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_safe_private",
    "retain_uids",
)
SETS: dict[str, tuple[str, ...]] = {
    "basic": (),
    "all": (MODIFIED, *OTHERS),
    "all, full dates": (FULL, *OTHERS),
    "descriptors": (MODIFIED, "clean_descriptors"),
    "content": ("clean_structured_content", "clean_graphics"),
    "identities": (FULL, "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics"),
}
FEW_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.4.1",  # enhanced MR
    "1.2.840.10008.5.1.4.1.1.66.4",  # segmentation
    "1.2.840.10008.5.1.4.1.1.88.33",  # comprehensive SR
    "1.2.840.10008.5.1.4.1.1.481.3",  # RT structure set
)
FEW_SAMPLES = ("MR_small_bigendian.dcm", "image_dfl.dcm", "chrH31.dcm", "test-SR.dcm", "rtplan.dcm", "693_J2KI.dcm")


def sources(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the inputs, each with a name for messages."""
    for uid in classes() if WHOLE else FEW_CLASSES:
        for identifying in (True, False) if WHOLE else (True,):
            path = folder / f"{uid}-{identifying}.dcm"
            with quiet():
                dcmwrite(path, one_of(uid, identifying=identifying), enforce_file_format=True)
            yield path.name, path
    for path in SAMPLES:
        if WHOLE or path.name in FEW_SAMPLES:
            yield path.name, path


def complaints(source: Path, output: Path, again: Path) -> dict[str, list[str]]:
    """Return what speaks against an output, by who says so."""
    failed, wrong = unread(output), errors(output)
    found = {
        "readers": sorted(failed - unread(source)) if failed else [],
        "dciodvfy": sorted((wrong - errors(source)).elements()) if wrong else [],
        "second run": [] if output.read_bytes() == again.read_bytes() else ["other bytes"],
    }
    return {name: said for name, said in found.items() if said}


def verified(source: Path, output: Path, options: tuple[str, ...]) -> list[str]:
    """Return what verification finds."""
    policy = ProjectPolicy(name="P", deidentify={"options": options})
    harvested = Harvester(institutions="retain_institution_identity" not in options)(source)
    assert isinstance(harvested, Harvested)
    inspector = Inspector(expectation_of(policy, harvested.evidence, "S-1", "visit"))
    inspected = inspector(Check("i", output, "output.dcm", source))
    study = Study(keep_uids="retain_uids" in options, largest_days=3650)
    study.add("i", inspected)
    problems = [*inspected.found.problems, *(p for found in study.problems().values() for p in found)]
    return [f"{problem.attribute} {problem.reason}" for problem in problems]


@pytest.mark.parametrize("part", range(PARTS if WHOLE else 1))
@pytest.mark.parametrize("name", SETS if WHOLE else ("basic", "all"))
@pytest.mark.timeout(1200)
def test_everything_reads_every_output(name: str, part: int, tmp_path: Path) -> None:
    peers.require(*PROGRAMS)
    options, wrong, held, delivered = SETS[name], {}, [], 0
    for number, (title, source) in enumerate(sources(tmp_path)):
        if WHOLE and number % PARTS != part:
            continue
        result = deidentify(source, options, tmp_path / f"out-{number}")
        if isinstance(result, str):
            held.append(title)
            continue
        delivered += 1
        output = result[0]
        again = deidentify(source, options, tmp_path / f"again-{number}")
        assert not isinstance(again, str)
        found = complaints(source, output, again[0])
        if problems := verified(source, output, options):
            found["verification"] = problems
        if title.startswith("1.2.") and (left := planted_left(output)):
            found["planted"] = left
        if found:
            wrong[title] = found
        output.unlink()
    print(f"{name}, part {part}: {delivered} outputs read, {len(held)} held")
    assert wrong == {}
    assert delivered >= (480 // PARTS if WHOLE else len(FEW_CLASSES) + len(FEW_SAMPLES))


def planted_left(output: Path) -> list[str]:
    data = output.read_bytes().lower()
    return [word for word in PLANTED if word.encode() in data]
