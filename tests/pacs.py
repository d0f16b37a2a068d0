"""Real PACSs for tests: those of the demonstration, and DCMTK's dcmqrscp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airlock.dicomio.peer import Peer
from demo.pacs import destinations_of, local_peer, orthanc, qrscp, running


@contextmanager
def dcmqrscp(folder: Path, *, aet: str = "DCMQR", port: int | None = None, destinations=None) -> Iterator[Peer]:
    """Run DCMTK's dcmqrscp. Arguments as :func:`demo.pacs.qrscp`."""
    peer = local_peer(aet, port, destinations)
    storage = folder / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    hosts = [
        f"host{number} = ({title}, {host}, {move_port})"
        for number, (title, (host, move_port)) in enumerate(destinations_of(peer, destinations).items())
    ]
    lines = [f"NetworkTCPPort = {peer.port}", "MaxPDUSize = 131072", "MaxAssociations = 16"]
    lines += ["HostTable BEGIN", *hosts, "HostTable END", "VendorTable BEGIN", "VendorTable END"]
    lines += ["AETable BEGIN", f"{aet} {storage} RW (200, 1024mb) ANY", "AETable END"]
    config = folder / "dcmqrscp.cfg"
    config.write_text("\n".join(lines) + "\n")
    with running(["dcmqrscp", "--config", str(config)], folder / "dcmqrscp.log", peer):
        yield peer


START = {"qrscp": qrscp, "orthanc": orthanc, "dcmqrscp": dcmqrscp}
PROGRAMS = {"qrscp": (), "orthanc": ("Orthanc",), "dcmqrscp": ("dcmqrscp",)}
