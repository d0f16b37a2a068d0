"""C-STORE over loopback: Airlock's sender against DCMTK's, pynetdicom's, and Orthanc's own REST interface."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.airlock import airlock, environment, expect
from bench.alone import outside
from bench.corpus import Size, copies
from bench.measure import BenchError, Contender, Run, compare, run
from bench.peers import ORTHANC, STORESCP, STORESCU, missing
from bench.result import Figure, Measured, Skipped
from bench.servers import NODELAY, ORTHANC_AET, PDU_BYTES, Orthanc, orthanc, storescp
from demo.phantoms import Patient, ct_series, mr_series

Result = Measured | Figure | Skipped

# What a careful user of the REST interface would write: one connection that is kept.
_POST = """
import http.client, pathlib, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    connection.request("POST", "/instances", path.read_bytes())
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"status {answer.status}")
"""
_PEAK = """
import atexit
from airlock.cli import main
atexit.register(lambda: print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]))
main()
"""


def measure(scratch: Path, size: Size) -> Iterator[Result]:
    """Send a CT series and yield how it went, receiver by receiver and peer by peer."""
    work = f"send {size.sent} CT"
    if absent := missing(STORESCP, STORESCU):
        yield Skipped(work, "storescu", absent)
        return
    source = scratch / "sent"
    paths = ct_series(source, Patient.invent(4000), size.sent)
    work += f", {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB"
    yield from _to_storescp(scratch, source, work, size)
    many = scratch / "many"
    ct_series(many, Patient.invent(4001), size.sent * 4)
    with storescp(NODELAY) as port:
        compared = compare(
            Contender("airlock send", lambda: _airlock(scratch, many, port)),
            Contender("storescu", lambda: _storescu(many, port, NODELAY)),
            size.pairs,
        )
        yield Measured(f"send {size.sent * 4} CT; TCP_NODELAY=1 for storescp and storescu", compared)
    if absent := missing(ORTHANC) or outside():
        yield Skipped(f"{work} to Orthanc", "storescu", absent)
    else:
        yield from _to_orthanc(scratch, source, work, size)
    yield _memory(scratch, size)


def _to_storescp(scratch: Path, source: Path, work: str, size: Size) -> Iterator[Measured]:
    with storescp({}) as port:
        ours = Contender("airlock send", lambda: _airlock(scratch, source, port))
        for name, theirs in (
            ("storescu", lambda: _storescu(source, port, {})),
            ("pynetdicom storescu", lambda: _pynetdicom(source, port)),
        ):
            yield Measured(f"{work}; storescp as it is", compare(ours, Contender(name, theirs), size.pairs))


def _to_orthanc(scratch: Path, source: Path, work: str, size: Size) -> Iterator[Measured]:
    with orthanc(scratch / "orthanc", {}) as pacs:
        ours = Contender("airlock send", _emptied(pacs, size.sent, lambda: _to_pacs(scratch, source, pacs)))
        rest = [sys.executable, "-c", _POST, pacs.http.rpartition(":")[2], str(source)]
        for name, theirs in (
            ("storescu", lambda: _storescu(source, pacs.peer.port, {}, ORTHANC_AET)),
            ("pynetdicom storescu", lambda: _pynetdicom(source, pacs.peer.port, ORTHANC_AET)),
            ("REST POST /instances", lambda: run(rest, os.environ)),
        ):
            peer = Contender(name, _emptied(pacs, size.sent, theirs))
            yield Measured(f"{work} to Orthanc", compare(ours, peer, size.pairs))
    with orthanc(scratch / "orthanc-nodelay", NODELAY) as pacs:
        ours = Contender("airlock send", _emptied(pacs, size.sent, lambda: _to_pacs(scratch, source, pacs)))
        fast = _emptied(pacs, size.sent, lambda: _storescu(source, pacs.peer.port, NODELAY, ORTHANC_AET))
        compared = compare(ours, Contender("storescu", fast), size.pairs)
        yield Measured(f"{work} to Orthanc; TCP_NODELAY=1 for both", compared)


def _emptied(pacs: Orthanc, sent: int, send: Callable[[], Run]) -> Callable[[], Run]:
    """Empty the PACS before each run, as it doesn't store twice what it has; check that it has all after it."""

    def once() -> Run:
        pacs.empty()
        done = send()
        if (found := pacs.count()) != sent:
            raise BenchError(f"Orthanc has {found} instances, {sent} were sent")
        return done

    return once


def _to_pacs(scratch: Path, source: Path, pacs: Orthanc) -> Run:
    return _airlock(scratch, source, pacs.peer.port, ORTHANC_AET)


def _airlock(scratch: Path, source: Path, port: int, aet: str = "ANY-SCP") -> Run:
    done = airlock(scratch, "send", source, "--host", "127.0.0.1", "--port", str(port), "--called-aet", aet)
    expect(done.output, f"sent {sum(1 for _ in source.iterdir())}, refused 0, unreadable 0")
    return done


def _storescu(source: Path, port: int, variables: Mapping[str, str], aet: str = "ANY-SCP") -> Run:
    # It stops with an error at the first instance that is not stored.
    options = ("--scan-directories", "--max-pdu", str(PDU_BYTES), "-aet", "AIRLOCK", "-aec", aet)
    return run(STORESCU.command(*options, "127.0.0.1", str(port), source), {**os.environ, **variables})


def _pynetdicom(source: Path, port: int, aet: str = "ANY-SCP") -> Run:
    arguments = ("storescu", "--quiet", "-aet", "AIRLOCK", "-aec", aet, "127.0.0.1", str(port), str(source))
    return run([sys.executable, "-W", "ignore", "-m", "pynetdicom", *arguments], os.environ)


def _memory(scratch: Path, size: Size) -> Figure:
    """Send a hundredth of many instances, and all of them; the peak memory of the two processes is to be the same."""
    (path,) = mr_series(scratch / "small", Patient.invent(4002), 1, side=64)
    peaks: list[int] = []
    runs: list[Run] = []
    with storescp(NODELAY) as port:
        for number in (size.many // 100, size.many):
            folder = copies(path, scratch / f"copies-{number}", number)
            address = ("--host", "127.0.0.1", "--port", str(port))
            done = run([sys.executable, "-c", _PEAK, "send", str(folder), *address], environment(scratch))
            said, peak_kib = done.output.splitlines()[-2:]
            expect(said, f"sent {number}, refused 0, unreadable 0")
            peaks.append(int(peak_kib) >> 10)
            runs.append(done)
    rate = f"{size.many / runs[1].wall_seconds:.0f}/s, peak {peaks[0]} -> {peaks[1]} MiB"
    return Figure(
        f"send {size.many} small MR after {size.many // 100}", runs[1].wall_seconds, runs[1].cpu_seconds, rate
    )
