"""The image as the chain runs it: no network, read-only, no capabilities, an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from airlock.errors import PixelsNotCleaned
from airlock.findings import FILE_NAME, Findings, InstanceFindings
from airlock.pixels.check import check_rewritten
from airlock.pixels.step import detect_burned_in_text, finish_rewrite, prepare_rewrite
from airlock.workspace import link_or_copy
from demo.phantoms import Patient, ct_series, ultrasound_cine
from tests.peers import require
from tests.pixel_kinds import LOSSLESS, LOSSY

IMAGE = "airlock/pixel-rewriter:latest"
BUILD = Path(__file__).parents[3] / "images" / "pixel-rewriter" / "build"
SEALED = [
    "--rm",
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=256",
    "--memory=2g",
    "--tmpfs=/tmp:size=256m,noexec,nosuid",
]
SMALL = {"rows": 240, "columns": 320, "size": 13}


@pytest.fixture(scope="module", autouse=True)
def image():
    """Build the image when its inputs changed."""
    require("docker")
    if subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("no Docker engine answers")
        pytest.skip("no Docker engine answers")
    built = subprocess.run([str(BUILD)], check=False, capture_output=True, text=True)
    if built.returncode and os.geteuid() != 0 and os.environ.get("CI", "").lower() != "true":
        pytest.skip("the image's base is made by root: run images/pixel-rewriter/build once")
    assert built.returncode == 0, built.stderr


def sealed(source: Path, output: Path, *arguments: str, user: str | None = None) -> subprocess.CompletedProcess:
    mounts = ["-v", f"{source}:/input:ro", "-v", f"{output}:/output"]
    who = ["--user", user or f"{os.getuid()}:{os.getgid()}"]
    command = ["docker", "run", *SEALED, *who, *mounts, IMAGE, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)


def test_it_masks_what_the_chain_found(transfer, tmp_path):
    study = ultrasound_cine(tmp_path / "us", Patient(), 2, **SMALL)
    opened = transfer([*study, *ct_series(tmp_path / "ct", Patient(), 1, side=256, text=Patient().lines)])
    assert detect_burned_in_text(opened) == 2
    job = prepare_rewrite(opened, attempt=1)
    done = sealed(job.input, job.output, *job.arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert finish_rewrite(opened, job) == sum(f.boxes for f in Findings.load(opened.workspace).instances.values())


def test_it_detects_by_itself_as_any_user(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    ultrasound_cine(source, Patient(), 1, **SMALL)
    output.mkdir()
    output.chmod(0o777)
    for folder in (source, *source.iterdir(), *tmp_path.parents[:2], tmp_path):
        folder.chmod(folder.stat().st_mode | (0o055 if folder.is_dir() else 0o044))
    arguments = ["--input", "/input", "--output", "/output", "-c", "20", "--report", "/output/report.json"]
    done = sealed(source, output, *arguments, user="1234:1234")
    assert done.returncode == 0, done.stdout + done.stderr
    [outcome] = json.loads((output / "report.json").read_text())["files"].values()
    assert outcome["outcome"] == "rewritten"
    assert outcome["boxes"] == 3


def test_it_rewrites_every_kind_of_pixels(tmp_path):
    """What the container wrote is checked outside of it, as the chain does."""
    source, output, box = tmp_path / "in", tmp_path / "out", {1: [(8, 6, 30, 20)]}
    for folder in (source, output):
        folder.mkdir()
    kinds = {f"kind-{number:02}": kind for number, kind in enumerate([*LOSSLESS, *LOSSY])}
    for name, kind in kinds.items():
        kind.write(tmp_path / "made" / name).rename(source / f"{name}.dcm")
    Findings(len(kinds), {name: InstanceFindings(box) for name in kinds}).write(source / FILE_NAME)
    arguments = ["--input", "/input", "--output", "/output", "--findings", f"/input/{FILE_NAME}", "-t", "2"]
    done = sealed(source, output, *arguments, "--report", "/output/report.json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((output / "report.json").read_text())["files"]
    assert {entry["outcome"] for entry in report.values()} == {"rewritten"}
    assert [check_rewritten(source / f"{n}.dcm", output / report[n]["output"], box) for n in kinds] == [3] * len(kinds)


def test_a_second_build_does_nothing():
    assert "up to date" in subprocess.run([str(BUILD)], check=False, capture_output=True, text=True).stdout


def running(name: str, *options: str, source: Path, output: Path, arguments: list[str], seconds: float = 300):
    mounts = ["-v", f"{source}:/input:ro", "-v", f"{output}:/output", "--name", name]
    command = ["docker", "run", *SEALED, *options, "--user", f"{os.getuid()}:{os.getgid()}", *mounts, IMAGE, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)


@pytest.fixture
def flagged(transfer, tmp_path):
    """A transfer with one flagged cine, whose findings are given."""
    [cine] = ultrasound_cine(tmp_path / "us", Patient(), 2, **SMALL)
    opened = transfer([cine])
    [instance] = [row.id for row in opened.ledger.instances(opened.id)]
    found = {instance: InstanceFindings({0: [(5, 5, 100, 30)]}, ["ocr"])}
    for folder_name in ("findings", "flagged"):
        with opened.workspace.writing(folder_name) as folder:
            Findings(1, found).write(folder / FILE_NAME)
            if folder_name == "flagged":
                link_or_copy(opened.workspace.folder("incoming") / f"{instance}.dcm", folder / f"{instance}.dcm")
    return opened, prepare_rewrite(opened, attempt=1), instance


def test_killed_for_want_of_memory(flagged):
    opened, job, instance = flagged
    done = running(
        "airlock-test-oom",
        "--memory=16m",
        "--memory-swap=16m",
        source=job.input,
        output=job.output,
        arguments=job.arguments,
    )
    assert done.returncode != 0
    with pytest.raises(PixelsNotCleaned, match=f"{instance}: it has no output"):
        finish_rewrite(opened, job)


def test_a_container_that_lies(flagged):
    """It ends with 0: first without output, then with the file as it was."""
    opened, job, instance = flagged
    done = running(
        "airlock-test-lie",
        "--entrypoint=/bin/true",
        source=job.input,
        output=job.output,
        arguments=[],
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(PixelsNotCleaned, match="it has no output"):
        finish_rewrite(opened, job)
    copied = ["/input/" + f"{instance}.dcm", "/output/copy.dcm"]
    done = running("airlock-test-copy", "--entrypoint=/bin/cp", source=job.input, output=job.output, arguments=copied)
    assert done.returncode == 0, done.stderr
    with pytest.raises(PixelsNotCleaned, match=instance):
        finish_rewrite(opened, job)
    assert not opened.workspace.complete("rewritten")


def test_a_container_that_hangs_is_killed_and_leaves_nothing_behind(flagged):
    _, job, _ = flagged
    name = "airlock-test-hang"
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            running(
                name,
                "--entrypoint=/bin/sleep",
                source=job.input,
                output=job.output,
                arguments=["600"],
                seconds=4,
            )
        killed = subprocess.run(["docker", "kill", name], check=False, capture_output=True, text=True)
        assert killed.returncode == 0, killed.stderr
        assert list(job.output.iterdir()) == []
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=False, capture_output=True)
