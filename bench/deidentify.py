"""De-identification of a folder, against copying it, gdcmanon, programs in Python, and Airlock's own plain engine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.airlock import PROJECT, airlock, environment, expect
from bench.corpus import Size, giant, large, many, mixed
from bench.measure import BenchError, Contender, Run, compare, run
from bench.peers import COPY, GDCMANON, OPENSSL, missing
from bench.python_peers import DICOGNITO, KITWARE, PYTHON_PEERS
from bench.result import Count, Measured, Result, Skipped

_PLAIN = "airlock, plain engine (pydicom)"
_TWO = "airlock, 2 processes"
_CLEANING = "airlock, Clean Descriptors and dates moved"
_POLICY = "name: {name}\ndeidentify:\n  options: [clean_descriptors, retain_longitudinal_modified_dates]\n"
# These take so long that one pair tells enough.
_SLOW = (_PLAIN, KITWARE.package, DICOGNITO.package)
_CLEANING_PROJECT = "bench-cleaning"
# Somebody waits for the end of the process, so that it does not end before it has said this.
_WITH_PEAK = """
import atexit, resource
from airlock.cli import main
atexit.register(lambda: print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
main()
"""
_BARE = "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"


def measure(scratch: Path, size: Size) -> Iterator[Result]:
    """De-identify a mixed corpus and large objects, and yield how it went, peer by peer."""
    source = scratch / "mixed"
    paths = mixed(source, size)
    names = ("cp -r", "gdcmanon -e", _PLAIN, KITWARE.package, DICOGNITO.package, _CLEANING)
    yield from _against(scratch, source, paths, size, names)
    shutil.rmtree(source)
    source = scratch / "large"
    yield from _against(scratch, source, large(source, size.large), size, ("cp -r", "gdcmanon -e"))
    yield _memory(scratch, source, size.large)
    shutil.rmtree(source)
    source = scratch / "giant"
    giant(source)
    yield _memory(scratch, source, 1)
    shutil.rmtree(source)
    source = scratch / "many"
    yield from _against(scratch, source, many(source, size.deidentified), size, (_TWO,))
    yield _memory(scratch, source, size.deidentified)


def _memory(scratch: Path, source: Path, files: int) -> Count:
    """De-identify a folder once more, and tell how much memory the worker had at most."""
    arguments = ("deidentify", str(source), str(scratch / "out"), "--project", PROJECT)
    ours = environment(scratch) | {"AIRLOCK_WORKERS": "1"}
    done = _into(scratch / "out", files, lambda: run([sys.executable, "-c", _WITH_PEAK, *arguments], ours))
    said, peak_kib = done.output.rstrip().rsplit("\n", 1)
    expect(said, f"in {files} / out {files} / skipped 0 / held 0")
    bare = int(run([sys.executable, "-c", _BARE], ours).output) >> 10
    largest = max(path.stat().st_size for path in source.rglob("*") if path.is_file()) / 1e6
    work = f"memory of a worker, {files} files of up to {largest:.1f} MB"
    return Count(work, f"{int(peak_kib) >> 10} MiB", f"a bare interpreter has {bare} MiB")


def _against(
    scratch: Path, source: Path, paths: list[Path], size: Size, names: tuple[str, ...]
) -> Iterator[Measured | Skipped]:
    work = f"de-identify {len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB"
    target = scratch / "out"

    def folder(once: Callable[[], Run]) -> Callable[[], Run]:
        return lambda: _into(target, len(paths), once)

    def deidentify(project: str = PROJECT, **settings: str) -> Run:
        done = airlock(scratch, "deidentify", source, target, "--project", project, **{"WORKERS": "1", **settings})
        expect(done.output, f"in {len(paths)} / out {len(paths)} / skipped 0 / held 0")
        return done

    ours = Contender("airlock deidentify", folder(deidentify))
    known: dict[str, tuple[str | None, Callable[[], Run]]] = {
        "cp -r": (missing(COPY), lambda: run(COPY.command("-r", source, target), os.environ)),
        "gdcmanon -e": (missing(GDCMANON, OPENSSL), lambda: _gdcmanon(scratch, source, target)),
        _PLAIN: (None, lambda: deidentify(ENGINE="plain")),
        _TWO: (None, lambda: deidentify(WORKERS="2")),
        _CLEANING: (None, lambda: deidentify(_cleaning(scratch))),
    }
    for peer in PYTHON_PEERS:
        known[peer.package] = peer.missing, partial(run, peer.command(source, target), os.environ)
    for name in names:
        absent, once = known[name]
        if absent:
            yield Skipped(work, name, absent)
        else:
            yield Measured(work, compare(ours, Contender(name, folder(once)), 1 if name in _SLOW else size.pairs))


def _cleaning(scratch: Path) -> str:
    """Return the name of a project that keeps and cleans more than the Basic Profile does."""
    projects = scratch / "projects"
    projects.mkdir(exist_ok=True)
    (projects / f"{_CLEANING_PROJECT}.yaml").write_text(_POLICY.format(name=_CLEANING_PROJECT))
    return _CLEANING_PROJECT


def _into(target: Path, files: int, once: Callable[[], Run]) -> Run:
    """Do something that fills a folder; check that it has as many files as the corpus, and remove it."""
    try:
        done = once()
        found = sum(path.is_file() for path in target.rglob("*"))
    finally:
        shutil.rmtree(target, ignore_errors=True)
    if found != files:
        raise BenchError(f"{found} files came out, {files} went in")
    return done


def _gdcmanon(scratch: Path, source: Path, target: Path) -> Run:
    """Run gdcmanon with a certificate that is made once: it encrypts what it removes, for whoever has the key."""
    certificate = scratch / "certificate.pem"
    if not certificate.exists():
        request = OPENSSL.command("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=airlock-bench")
        run([*request, "-keyout", str(scratch / "key.pem"), "-out", str(certificate)], os.environ)
    target.mkdir()
    return run(GDCMANON.command("-e", "-r", "-c", certificate, "-i", source, "-o", target), os.environ)
