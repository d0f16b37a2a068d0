"""A small study, de-identified, whose outputs tests change in one place each and verify again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from airlock.deid.instance import Deidentifier, Recipe
from airlock.dicomio.quiet import quiet
from airlock.identity.harvest import Evidence, harvest
from airlock.identity.keys import KeyRing
from airlock.project import ProjectPolicy
from airlock.verify.found import Problem
from airlock.verify.harvest import Harvested, Harvester
from airlock.verify.inspect import Check, Inspector
from airlock.verify.study import Study
from airlock.verify.together import expectation_of
from tests.synthetic import ct

SUBJECT, PROJECT, EVENT = "ONE-001", "Study One", "visit 2"
DAYS = -999


@dataclass
class Case:
    """Inputs and outputs on disk."""

    root: Path
    options: tuple[str, ...]

    @property
    def outputs(self) -> list[Path]:
        return sorted(
            (self.root / "out").rglob("*.dcm"), key=lambda path: (self.root / "names" / path.name).read_text()
        )

    def copy(self, root: Path) -> Case:
        shutil.copytree(self.root, root)
        return Case(root, self.options)

    def verify(self, *, together: bool = True) -> dict[str, list[Problem]]:
        """Verify everything in this process, all at once or one by one; return problems by number of the instance."""
        policy = ProjectPolicy(name=PROJECT, deidentify={"options": self.options})
        harvester = Harvester(institutions="retain_institution_identity" not in self.options)
        evidence = Evidence()
        for path in sorted((self.root / "in").iterdir()):
            found = harvester(path)
            assert isinstance(found, Harvested)
            evidence.update(found.evidence)
        inspector = Inspector(expectation_of(policy, evidence, SUBJECT, EVENT))
        study = Study(keep_uids="retain_uids" in self.options, largest_days=3650)
        checks = []
        for path in self.outputs:
            number = (self.root / "names" / path.name).read_text()
            name = path.relative_to(self.root / "out").as_posix()
            checks.append(Check(number, path, name, self.root / "in" / f"{number}.dcm", sop_instance_uid=path.stem))
        problems: dict[str, list[Problem]] = {}
        found = inspector.several(checks) if together else [inspector(check) for check in checks]
        for check, inspected in zip(checks, found, strict=True):
            study.add(check.instance_id, inspected)
            problems[check.instance_id] = list(inspected.found.problems)
        for number, found_together in study.problems().items():
            problems[number] += found_together
        return problems

    def attributes(self) -> set[str]:
        """The attributes of all problems."""
        return {problem.attribute for found in self.verify().values() for problem in found}

    def change(self, change: Callable[[Dataset], object], number: int = 0) -> None:
        """Change one output, through pydicom."""
        path = self.outputs[number]
        with quiet():
            ds = pydicom.dcmread(path)
            change(ds)
            ds.save_as(path)


def make_case(root: Path, datasets: list[Dataset], options: tuple[str, ...] = ()) -> Case:
    for folder in ("in", "out", "names"):
        (root / folder).mkdir(parents=True)
    evidence = Evidence()
    for dataset in datasets:
        evidence.update(harvest(dataset))
    deidentifier = Deidentifier(Recipe(KeyRing(b"k" * 32), PROJECT, SUBJECT, EVENT, "2026d", options, DAYS, evidence))
    for number, dataset in enumerate(datasets, start=1):
        source = root / "in" / f"{number}.dcm"
        with quiet():
            dcmwrite(source, dataset, enforce_file_format=True)
        written = deidentifier.process(source, root / "out", pixels_rewritten=False)
        (root / "names" / Path(written.path).name).write_text(str(number))
    return Case(root, options)


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Case]:
    """Return a function that makes the outputs of a set of options, once."""
    made: dict[tuple[str, ...], Case] = {}

    def make(*options: str) -> Case:
        if options not in made:
            datasets = [ct(number) for number in (1, 2, 3)]
            made[options] = make_case(tmp_path_factory.mktemp("good") / "case", datasets, options)
        return made[options]

    return make


@pytest.fixture
def case(good: Callable[..., Case], tmp_path: Path) -> Callable[..., Case]:
    """Return a function that gives outputs that may be changed."""
    return lambda *options: good(*options).copy(tmp_path / "case")
