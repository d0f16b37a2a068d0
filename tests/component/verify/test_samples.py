"""No false alarm: what de-identification makes of every sample that pydicom ships passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from airlock.project import ProjectPolicy
from airlock.verify.harvest import Harvested, Harvester
from airlock.verify.inspect import Check, Inspector
from airlock.verify.study import Study
from airlock.verify.together import expectation_of
from tests.component.deid.test_samples import EVERYTHING, SAMPLES, deidentify


@pytest.mark.parametrize("options", [(), EVERYTHING, ("retain_longitudinal_full_dates", "retain_uids")])
def test_samples(options: tuple[str, ...], tmp_path: Path) -> None:
    policy = ProjectPolicy(name="P", deidentify={"options": options})
    passed = 0
    for number, path in enumerate(SAMPLES):
        result = deidentify(path, options, tmp_path / str(number))
        if isinstance(result, str):
            continue
        found = Harvester(institutions="retain_institution_identity" not in options)(path)
        assert isinstance(found, Harvested), path.name
        inspected = Inspector(expectation_of(policy, found.evidence, "S-1", "visit"))(
            Check("i", result[0], "output.dcm", path)
        )
        study = Study(keep_uids="retain_uids" in options, largest_days=3650)
        study.add("i", inspected)
        assert (inspected.found.problems, study.problems()) == ((), {}), path.name
        passed += 1
    assert passed >= 140
