"""De-identification of a folder, against copying it, gdcmanon, and Airlock's own plain engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.airlock import PROJECT, airlock, expect
from bench.corpus import Size, large, mixed
from bench.measure import BenchError, Contender, Run, compare, run
from bench.peers import COPY, GDCMANON, OPENSSL, Peer, missing
from bench.result import Measured, Result, Skipped

_PLAIN = "airlock, plain engine (pydicom)"
_TWO = "airlock, 2 processes"


def measure(scratch: Path, size: Size) -> Iterator[Result]:
    """De-identify a mixed corpus and large objects, and yield how it went, peer by peer."""
    source = scratch / "mixed"
    paths = mixed(source, size)
    yield from _against(scratch, source, paths, size, ("cp -r", "gdcmanon -e", _PLAIN, _TWO))
    shutil.rmtree(source)
    source = scratch / "large"
    yield from _against(scratch, source, large(source, size.large), size, ("cp -r", "gdcmanon -e"))


def _against(
    scratch: Path, source: Path, paths: list[Path], size: Size, names: tuple[str, ...]
) -> Iterator[Measured | Skipped]:
    work = f"de-identify {len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB"
    target = scratch / "out"

    def folder(once: Callable[[], Run]) -> Callable[[], Run]:
        return lambda: _into(target, len(paths), once)

    def deidentify(**settings: str) -> Run:
        done = airlock(scratch, "deidentify", source, target, "--project", PROJECT, **{"WORKERS": "1", **settings})
        expect(done.output, f"in {len(paths)} / out {len(paths)} / skipped 0 / held 0")
        return done

    ours = Contender("airlock deidentify", folder(deidentify))
    known: dict[str, tuple[tuple[Peer, ...], Callable[[], Run]]] = {
        "cp -r": ((COPY,), lambda: run(COPY.command("-r", source, target), os.environ)),
        "gdcmanon -e": ((GDCMANON, OPENSSL), lambda: _gdcmanon(scratch, source, target)),
        _PLAIN: ((), lambda: deidentify(ENGINE="plain")),
        _TWO: ((), lambda: deidentify(WORKERS="2")),
    }
    for name in names:
        tools, once = known[name]
        if absent := missing(*tools):
            yield Skipped(work, name, absent)
        else:
            pairs = size.pairs if name != _PLAIN else 1
            yield Measured(work, compare(ours, Contender(name, folder(once)), pairs))


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
