"""The receiving service for tests: in this process, or as the program that it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airlock.dicomio.peer import Peer
from airlock.dicomio.receiving import services_folder
from airlock.dicomio.serving import claims_of, coming_of
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.claims import Claims
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.desk import Desk
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.shelf import Shelf
from airlock.dicomio.wire.tls import move_context

COMMAND = [sys.executable, "-c", "from airlock.cli import main; main()"]


@dataclass
class Running:
    claims: Claims
    counts: Counts
    coming: Path

    @property
    def left(self) -> list[Path]:
        """What has been received and is nobody's yet."""
        return [path for path in self.coming.rglob("*") if path.is_file()]


@contextmanager
def receiving_service(home: Path, peer: Peer, *, callers=(), shelf: Path | None = None, room=0) -> Iterator[Running]:
    """Run a service for a peer's move_aet and move_port in this process."""
    folder, counts = services_folder(home), Counts()
    admission = Admission(peer.move_aet, callers, reports=True)
    tls = move_context(peer)
    with claims_of(folder, peer.move_port, admission, tls=tls is not None, sync=False) as claims:
        kept = Shelf(shelf, counts, sync=False, least_free_bytes=0) if shelf else None
        coming = coming_of(folder, peer.move_port)
        desk = Desk(coming, claims, counts, shelf=kept, sync=False, least_free_bytes=room)
        server = StorageServer(desk, admission, port=peer.move_port, tls=tls, counts=counts)
        try:
            yield Running(claims, counts, coming)
        finally:
            server.stop(5.0)


def start_service(home: Path, peer: Peer, *options: str) -> subprocess.Popen[str]:
    """Start `airlock scp --moves` for a peer; return it when it listens. The caller ends it."""
    arguments = ["scp", "--moves", "--port", str(peer.move_port), "--aet", peer.move_aet, "--min-free-mib", "1"]
    process = subprocess.Popen(
        [*COMMAND, *arguments, *(options or ("--any-caller",))],
        env={**os.environ, "AIRLOCK_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("listening"), said
    return process
