"""Verification of a folder's outputs, against the de-identification that made them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.airlock import PROJECT, airlock, expect
from bench.corpus import Size, mixed
from bench.measure import Contender, Run, compare
from bench.result import Figure, Measured, Result


def measure(scratch: Path, size: Size) -> Iterator[Result]:
    """De-identify and verify a mixed corpus in turns; yield how they compare, and what each takes for a file."""
    source, target = scratch / "mixed", scratch / "out"
    files = len(mixed(source, size))

    def deidentify() -> Run:
        shutil.rmtree(target, ignore_errors=True)
        done = airlock(scratch, "deidentify", source, target, "--project", PROJECT, WORKERS="1")
        expect(done.output, f"in {files} / out {files} / skipped 0 / held 0")
        return done

    def verify() -> Run:
        if not target.exists():
            deidentify()
        done = airlock(scratch, "verify", target, "--against", source, "--project", PROJECT, WORKERS="1")
        counts = f"pass {files} / review 0 / fail 0 / inputs without output 0"
        expect(done.output, f"in {files} / out {files} / {counts}")
        return done

    work = f"verify {files} files, {sum(path.stat().st_size for path in source.rglob('*.dcm')) / 1e6:.0f} MB"
    peer = "airlock deidentify, the same files"
    compared = compare(Contender("airlock verify", verify), Contender(peer, deidentify), size.pairs)
    yield Measured(work, compared)
    for name, runs in ((work, compared.ours), (f"de-identify {files} files", compared.theirs)):
        cpu = median(done.cpu_seconds for done in runs)
        wall = median(done.wall_seconds for done in runs)
        yield Figure(name, wall, cpu, f"{cpu / files * 1000:.2f} ms CPU per file")
