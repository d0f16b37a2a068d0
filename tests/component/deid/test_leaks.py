"""Names planted in every place and every form: none is left in any output, with any set of options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from airlock.deid.folder import FolderRun
from airlock.dicomio.quiet import quiet
from airlock.identity.keys import KeyRing
from airlock.project import ProjectPolicy
from airlock.verify.folder import FolderVerification
from tests.component.deid.test_readers import FULL, MODIFIED, OTHERS
from tests.hidden import instances, left_in

KEYS = KeyRing(b"k" * 32)
KEPT = {"mode": "keep-list", "keep": ['"ACME 1"', '"QUILLFEATHER ACME"', "0019"], "csa_header": True}
POLICIES: dict[str, dict[str, Any]] = {
    "basic": {},
    "all": {"options": (MODIFIED, *OTHERS)},
    "full dates, private, unlisted": {"options": (FULL, *OTHERS), "private": KEPT, "unlisted": "keep"},
    "private": {"options": (MODIFIED,), "private": KEPT},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hidden") / "in"
    folder.mkdir()
    for name, ds in instances().items():
        for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
            ds.file_meta.TransferSyntaxUID = syntax
            ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.1"
            with quiet():
                dcmwrite(folder / f"{name}-{syntax.name.split()[0]}.dcm", ds, enforce_file_format=True)
    return folder


def test_the_search_sees_what_is_planted(study: Path) -> None:
    assert all(left_in(path.read_bytes()) for path in study.iterdir())


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_is_left(name: str, study: Path, tmp_path: Path) -> None:
    policy = ProjectPolicy(name="P", deidentify=POLICIES[name])
    outcomes = list(FolderRun(study, tmp_path / "out", policy, KEYS).run())
    assert {outcome.kind for outcome in outcomes} == {"out"}
    left = {o.name: found for o in outcomes if (found := left_in((tmp_path / "out" / str(o.output)).read_bytes()))}
    assert left == {}
    verified = FolderVerification(tmp_path / "out", study, policy, KEYS, subject=None, workers=1).run()
    found = {p.attribute + " " + p.reason for problems in verified.problems.values() for p in problems}
    assert found == set()
