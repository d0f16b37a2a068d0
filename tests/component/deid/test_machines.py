"""`airlock deidentify` as a user runs it, on two machines: a folder of good and broken files gives the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import EncapsulatedPDFStorage

from airlock.dicomio.quiet import quiet
from tests.synthetic import PLANTED, ct

POLICY = """name: One
deidentify:
  options: [retain_longitudinal_modified_dates, clean_descriptors]
"""
NAMES = (*PLANTED, "olga", "tannenbaum")
GOOD, LINES = 7, 17


def document() -> Dataset:
    ds = ct(40, Modality="DOC")
    del ds.PixelData
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    ds.EncapsulatedDocument = b"%PDF Zebedee Quillfeather"
    return ds


def write_inputs(folder: Path, *, backwards: bool) -> None:
    """Write the same files, in one order or in the other."""
    whole = folder.parent / "whole.dcm"
    with quiet():
        dcmwrite(whole, ct(90), enforce_file_format=True)
    data = whole.read_bytes()
    other = {"PatientID": "OTHER-42", "PatientName": "Tannenbaum^Olga", "StudyInstanceUID": "1.2.276.0.7230010.3.1.2.9"}
    datasets = {
        **{f"quillfeather/{number}.dcm": ct(number) for number in (1, 2, 3)},
        **{f"b/{number}": ct(number, **other) for number in (11, 12)},
        "no study.dcm": ct(31, StudyInstanceUID=""),
        "own class.dcm": ct(32, SOPClassUID="1.2.276.0.7230010.3.1.7"),
        "document.dcm": document(),
    }
    plain = {
        "empty.dcm": b"",
        "notes of Zebedee.txt": b"Zebedee Quillfeather",
        "short.dcm": data[:-40],
        "head only.dcm": data[:200],
        "zeros.dcm": bytes(4096),
        "noise.dcm": bytes((7 * i * i + 3 * i) % 251 for i in range(5000)),
        "copy.dcm": data,
        "copy too.dcm": data,
        "sample.dcm": Path(str(get_testdata_file("MR_small_RLE.dcm", download=False))).read_bytes(),
    }
    for name in sorted({**datasets, **plain}, reverse=backwards):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in plain:
            path.write_bytes(plain[name])
        else:
            with quiet():
                dcmwrite(path, datasets[name], enforce_file_format=True)


def run(machine: Path, *, seed: str, workers: str, backwards: bool) -> subprocess.CompletedProcess[str]:
    """De-identify on a machine with its own home, temporary folder, hash seed and number of processes."""
    for name in ("home/secret", "projects", "tmp"):
        (machine / name).mkdir(parents=True)
    (machine / "home" / "secret" / "airlock.key").write_text("a" * 64 + "\n")
    (machine / "home" / "secret" / "airlock.key").chmod(0o600)
    (machine / "projects" / "one.yaml").write_text(POLICY)
    write_inputs(machine / "in", backwards=backwards)
    environment = {
        **os.environ,
        "AIRLOCK_HOME": str(machine / "home"),
        "AIRLOCK_PROJECTS": str(machine / "projects"),
        "AIRLOCK_WORKERS": workers,
        "PYTHONHASHSEED": seed,
        "TMPDIR": str(machine / "tmp"),
        "TZ": "Pacific/Auckland" if backwards else "UTC",
        "LC_ALL": "C" if backwards else "C.UTF-8",
    }
    command = [sys.executable, "-c", "from airlock.cli import main; main()", "deidentify", machine / "in"]
    command += [machine / "out", "--project", "One", "--report", machine / "report.jsonl"]
    return subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.timeout(120)
def test_the_same_on_two_machines(tmp_path: Path) -> None:
    first = run(tmp_path / "one", seed="1", workers="1", backwards=False)
    second = run(tmp_path / "two" / "further", seed="77", workers="2", backwards=True)
    homes = (tmp_path / "one", tmp_path / "two" / "further")
    for ended, machine in zip((first, second), homes, strict=True):
        assert ended.returncode == 3, ended.stderr
        said = ended.stdout + ended.stderr
        assert ended.stdout.strip().splitlines()[-1] == f"in {LINES} / out {GOOD} / skipped 1 / held {LINES - GOOD - 1}"
        assert not [name for name in NAMES if name in said.lower().replace(str(machine).lower(), "")]
        report = [json.loads(line) for line in (machine / "report.jsonl").read_text().splitlines()]
        files = {path.relative_to(machine / "in").as_posix() for path in (machine / "in").rglob("*") if path.is_file()}
        assert {line["input"] for line in report} == files
        assert all(
            len(line["reason"]) > 20 and line["reason"].endswith(".") for line in report if line["outcome"] != "out"
        )
    outputs = [
        {path.relative_to(home / "out").as_posix(): path.read_bytes() for path in (home / "out").rglob("*.dcm")}
        for home in homes
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == GOOD
    assert not [name for name in NAMES for data in outputs[0].values() if name.encode() in data.lower()]
    lines = [{line["input"]: line for line in map(json.loads, (h / "report.jsonl").open())} for h in homes]
    assert lines[0] == lines[1]
