"""Starts real PACSs on this machine: Orthanc, and pynetdicom's qrscp. For the demonstration and for tests.

Each is a context manager that yields the peer to talk to, and ends the process when the block ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from airlock.dicomio.echo import echo
from airlock.dicomio.peer import Peer
from airlock.errors import AirlockError
from demo.services import free_port

ORTHANC = "Orthanc"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0

Destinations = Mapping[str, tuple[str, int]]
"""C-MOVE destinations: host and port by AE title."""


@contextmanager
def qrscp(
    folder: Path, *, aet: str = "QRSCP", port: int | None = None, destinations: Destinations | None = None
) -> Iterator[Peer]:
    """Run pynetdicom's qrscp.

    :param folder: where it keeps its instances, its index and its log.
    :param destinations: C-MOVE destinations; without any, our own AE on a free port.
    """
    peer = local_peer(aet, port, destinations)
    with running(qrscp_command(folder, peer, destinations_of(peer, destinations)), folder / "qrscp.log", peer):
        yield peer


def qrscp_command(folder: Path, peer: Peer, destinations: Destinations) -> list[str]:
    """Write the configuration of pynetdicom's qrscp; return the command that runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    aet = peer.called_aet
    lines = ["[DEFAULT]", f"ae_title: {aet}", f"port: {peer.port}", "max_pdu: 131072", "bind_address: 127.0.0.1"]
    lines += ["acse_timeout: 30", "dimse_timeout: 30", "network_timeout: 120", "log_identifier: False"]
    lines += [f"instance_location: {folder / 'instances'}", f"database_location: {folder / 'index.sqlite'}"]
    for title, (host, move_port) in destinations.items():
        lines += [f"[{title}]", f"address: {host}", f"port: {move_port}"]
    config = folder / "qrscp.ini"
    config.write_text("\n".join(lines) + "\n")
    return [sys.executable, "-W", "ignore", "-m", "pynetdicom", "qrscp", "--quiet", "--config", str(config)]


@contextmanager
def orthanc(
    folder: Path,
    *,
    aet: str = "ORTHANC",
    port: int | None = None,
    http_port: int | None = None,
    destinations: Destinations | None = None,
    program: str = ORTHANC,
) -> Iterator[Peer]:
    """Run Orthanc. Its DICOM port listens on all addresses: it has no setting for that.

    :param folder: where it keeps its instances, its index and its log.
    :param http_port: port of its web pages, for this machine only; None switches them off.
    :param destinations: C-MOVE destinations; without any, our own AE on a free port.
    """
    peer = local_peer(aet, port, destinations)
    command = orthanc_command(folder, peer, destinations_of(peer, destinations), http_port, program)
    with running(command, folder / "orthanc.log", peer):
        yield peer


def orthanc_command(
    folder: Path, peer: Peer, destinations: Destinations, http_port: int | None = None, program: str = ORTHANC
) -> list[str]:
    """Write Orthanc's configuration; return the command that runs it.

    Its DICOM port can't be bound to the loopback interface: callers from elsewhere are refused by their address, and
    the demonstration runs it enclosed (:mod:`demo.enclosed`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    aet = peer.called_aet
    titles = {peer.calling_aet: ("127.0.0.1", peer.move_port), **destinations}
    modalities = {title.lower(): [title, host, move_port] for title, (host, move_port) in titles.items()}
    settings = {
        "Name": aet,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [],
        "DicomAet": aet,
        "DicomPort": peer.port,
        "DicomModalities": modalities,
        "DicomCheckCalledAet": True,
        "DicomCheckModalityHost": True,
        "DicomAlwaysAllowEcho": False,
        "DicomAlwaysAllowStore": False,
        "UnknownSopClassAccepted": True,
        "SynchronousCMove": True,
        "HttpServerEnabled": http_port is not None,
        "HttpPort": http_port or 8042,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings, indent=1))
    return [program, str(config)]


@contextmanager
def running(command: Sequence[str], log: Path, peer: Peer) -> Iterator[None]:
    """Run a server, with its children, until the block ends.

    :param log: file for its output.
    :raises RuntimeError: when it doesn't answer C-ECHO in time.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_for(process, peer, log)
        yield
    finally:
        _stop(process)


def local_peer(aet: str, port: int | None, destinations: Destinations | None) -> Peer:
    """Return a PACS of this machine: where it will listen, and where it moves our studies to."""
    peer = Peer(host="127.0.0.1", port=port or free_port(), called_aet=aet)
    own = (destinations or {}).get(peer.move_aet)
    return replace(peer, move_port=own[1] if own else free_port())


def destinations_of(peer: Peer, destinations: Destinations | None) -> Destinations:
    """Return a PACS's C-MOVE destinations; ourselves when there are none."""
    return destinations or {peer.move_aet: ("127.0.0.1", peer.move_port)}


def answers(peer: Peer) -> bool:
    """Whether a PACS answers C-ECHO."""
    with suppress(AirlockError):
        echo(replace(peer, acse_timeout=5, dimse_timeout=5))
        return True
    return False


def _wait_for(process: subprocess.Popen[bytes], peer: Peer, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}; see {log}")
        if answers(peer):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{peer.name} does not answer C-ECHO; see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            return
