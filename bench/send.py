"""C-STORE to DCMTK's storescp over loopback, against DCMTK's storescu."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

from airlock.dicomio.peer import Peer
from bench.airlock import airlock, expect
from bench.corpus import Size
from bench.measure import BenchError, Contender, Run, compare, run
from bench.peers import STORESCP, STORESCU, missing
from bench.result import Measured, Skipped
from demo.pacs import answers
from demo.phantoms import Patient, ct_series
from demo.services import free_port

START_SECONDS = 30.0
PDU_BYTES = 131072  # the most that DCMTK takes
# DCMTK leaves Nagle's algorithm on unless told: its answers then wait for the sender's delayed acknowledgement.
NAGLE = {"storescp as it is": {}, "TCP_NODELAY=1 for storescp and storescu": {"TCP_NODELAY": "1"}}


def measure(scratch: Path, size: Size) -> Iterator[Measured | Skipped]:
    """Send a CT series and yield how it went, for each way to run the receiver."""
    work = f"send {size.sent} CT"
    if absent := missing(STORESCP, STORESCU):
        yield Skipped(work, "storescu", absent)
        return
    source = scratch / "sent"
    paths = ct_series(source, Patient.invent(4000), size.sent)
    work += f", {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB"
    for how, variables in NAGLE.items():
        environment = {**os.environ, **variables}
        with _storescp(environment) as port:

            def ours(port: int = port) -> Run:
                done = airlock(scratch, "send", source, "--host", "127.0.0.1", "--port", str(port))
                expect(done.output, f"sent {len(paths)}, refused 0, unreadable 0")
                return done

            def theirs(port: int = port, environment: Mapping[str, str] = environment) -> Run:
                # It stops with an error at the first instance that is not stored.
                options = ("--scan-directories", "--max-pdu", str(PDU_BYTES))
                return run(STORESCU.command(*options, "127.0.0.1", str(port), source), environment)

            compared = compare(Contender("airlock send", ours), Contender("storescu", theirs), size.pairs)
            yield Measured(f"{work}; {how}", compared)


@contextmanager
def _storescp(environment: Mapping[str, str]) -> Iterator[int]:
    """Run a receiver that keeps nothing; yield its port."""
    port = free_port()
    command = STORESCP.command("--ignore", "--max-pdu", str(PDU_BYTES), str(port))
    process = Popen(command, env=dict(environment), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(Peer(host="127.0.0.1", port=port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("storescp does not answer C-ECHO")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except TimeoutExpired:
            process.kill()
            process.wait()
