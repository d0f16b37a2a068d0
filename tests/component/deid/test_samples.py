"""Every sample that pydicom ships is delivered clean and valid, or held with a reason."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pydicom
import pytest

from airlock.deid.instance import Deidentifier, Recipe
from airlock.errors import InstanceNotUnderstood
from airlock.identity.harvest import Evidence, harvest_file
from airlock.identity.keys import KeyRing
from tests import peers

DATA = Path(pydicom.__file__).parent / "data"
SAMPLES = sorted(
    path
    for folder in ("test_files", "charset_files")
    for path in (DATA / folder).rglob("*")
    if path.is_file() and path.suffix not in (".txt", ".json", ".dump", ".gz", ".icc", ".py")
)
EVERYTHING = (
    "retain_longitudinal_modified_dates",
    "clean_descriptors",
    "retain_device_identity",
    "retain_institution_identity",
    "retain_patient_characteristics",
    "retain_safe_private",
    "clean_structured_content",
    "clean_graphics",
)


@cache
def errors(path: Path) -> frozenset[str]:
    """What dciodvfy says, without the values in it."""
    result = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    lines = (result.stdout + result.stderr).decode("latin-1").splitlines()
    return frozenset(
        re.sub(r"<[^>]*\d[^>]*>|\d+(\.\d+){2,}|(?<=UID )0", "<>", line) for line in lines if line.startswith("Error")
    )


def deidentify(path: Path, options: tuple[str, ...], folder: Path) -> tuple[Path, Deidentifier] | str:
    try:
        evidence = harvest_file(path)
    except InstanceNotUnderstood:
        evidence = Evidence()
    deidentifier = Deidentifier(Recipe(KeyRing(b"k" * 32), "P", "S-1", "visit", "2026d", options, -999, evidence))
    try:
        written = deidentifier.process(path, folder, pixels_rewritten=False, name=f"{path.name}.dcm")
    except InstanceNotUnderstood as error:
        return str(error)
    return folder / written.path, deidentifier


@pytest.mark.parametrize("options", [(), EVERYTHING, ("retain_longitudinal_full_dates", "retain_uids")])
def test_samples(options: tuple[str, ...], tmp_path: Path) -> None:
    peers.require("dciodvfy")
    delivered = 0
    for number, path in enumerate(SAMPLES):
        result = deidentify(path, options, tmp_path / str(number))
        if isinstance(result, str):
            assert result, path.name
            continue
        delivered += 1
        output, deidentifier = result
        assert errors(output) - errors(path) == frozenset(), path.name
        assert not deidentifier.identifiers.in_bytes(around_pixels(output), dates=not options), path.name
        assert pixels(output) == pixels(path), path.name
    assert delivered >= 140


def around_pixels(path: Path) -> bytes:
    ds = pydicom.dcmread(path)
    data = path.read_bytes()
    value = ds.get("PixelData", b"")
    return data.replace(value, b"") if value else data


def pixels(path: Path) -> bytes | None:
    value = pydicom.dcmread(path, force=True).get("PixelData")
    return value.rstrip(b"\0") if isinstance(value, bytes) else None
