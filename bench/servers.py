"""The servers that sending and receiving are measured with."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Any

from airlock.dicomio.peer import Peer
from bench.airlock import COMMAND
from bench.measure import BenchError
from bench.peers import STORESCP
from demo.pacs import answers, orthanc_command
from demo.services import free_port

START_SECONDS = 60.0
PDU_BYTES = 131072  # the most that DCMTK takes
ORTHANC_AET, DESTINATION_AET = "ORTHANC", "DESTINATION"
NODELAY = {"TCP_NODELAY": "1"}


@contextmanager
def storescp(variables: Mapping[str, str], folder: Path | None = None, *, port: int | None = None) -> Iterator[int]:
    """Run DCMTK's receiver; yield its port.

    :param folder: where it writes; None keeps nothing.
    """
    port = port or free_port()
    keeps = ("--output-directory", str(folder)) if folder else ("--ignore",)
    command = STORESCP.command(*keeps, "--max-pdu", str(PDU_BYTES), str(port))
    with _running(command, variables, Peer("127.0.0.1", port)):
        yield port


@contextmanager
def pynetdicom_scp(folder: Path) -> Iterator[int]:
    """Run pynetdicom's receiver, with long PDUs; yield its port."""
    port = free_port()
    arguments = ("storescp", "--quiet", "--output-directory", str(folder), "--max-pdu", str(PDU_BYTES), str(port))
    command = [sys.executable, "-W", "ignore", "-m", "pynetdicom", *arguments]
    with _running(command, {}, Peer("127.0.0.1", port)):
        yield port


@contextmanager
def airlock_scp(
    folder: Path | None, environment: Mapping[str, str], aet: str = "ANY-SCP", *, port: int | None = None
) -> Iterator[tuple[int, int]]:
    """Run Airlock's receiver as the others work, nothing forced to the disk; yield its port and process id.

    :param folder: gets what comes; None gives it to the pulls that asked for it.
    """
    port = port or free_port()
    where = ("--folder", str(folder)) if folder else ("--moves",)
    arguments = ("scp", "--port", str(port), "--aet", aet, *where, "--any-caller", "--no-sync")
    with _running([*COMMAND, *arguments], environment, Peer("127.0.0.1", port, called_aet=aet)) as process:
        yield port, process.pid


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc.

    :param http: address of its REST interface.
    :param destination: port that it sends to by C-MOVE.
    """

    peer: Peer
    http: str
    destination: int

    def empty(self) -> None:
        """Remove everything."""
        for patient in self._ask("GET", "/patients"):
            self._ask("DELETE", f"/patients/{patient}")

    def count(self) -> int:
        """Return how many instances it has."""
        return int(self._ask("GET", "/statistics")["CountInstances"])

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self.http + path, method=method)
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            return json.load(answer)


@contextmanager
def orthanc(folder: Path, variables: Mapping[str, str]) -> Iterator[Orthanc]:
    """Run Debian's Orthanc."""
    peer = Peer("127.0.0.1", free_port(), called_aet=ORTHANC_AET)
    http, destination = free_port(), free_port()
    destinations = {DESTINATION_AET: ("127.0.0.1", destination)}
    with _running(orthanc_command(folder, peer, destinations, http), variables, peer):
        yield Orthanc(peer, f"http://127.0.0.1:{http}", destination)


@contextmanager
def _running(command: Sequence[str], variables: Mapping[str, str], peer: Peer) -> Iterator[Popen[bytes]]:
    process = Popen(command, env={**os.environ, **variables}, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    try:
        _until(process, Path(command[0]).name, lambda: answers(peer))
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except TimeoutExpired:
            process.kill()
            process.wait()


def _until(process: Popen[bytes], name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{name} does not answer C-ECHO")
        time.sleep(0.05)
