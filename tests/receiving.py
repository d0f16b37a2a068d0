"""The receiving service for tests: in this process, or as the program that it is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio.inbox import Inbox
from airlock.dicomio.move import move
from airlock.dicomio.peer import Peer
from airlock.dicomio.receiving import services_folder
from airlock.dicomio.retrieval import Retrieval
from airlock.dicomio.serving import claims_of, coming_of
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.claims import Claims
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.desk import Desk
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.shelf import Shelf
from airlock.dicomio.wire.tls import move_context
from airlock.errors import TurnAwaited
from airlock.retrieve.step import pull_study
from tests.transfers import NO_GUARD, make_transfer

SOURCE = {"method": "c-move", "connection": "staging"}
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


def pulling(tmp_path, study_uid, name="T-1", guard=False):
    policy = {} if guard else NO_GUARD
    return make_transfer(tmp_path, study_uid=study_uid, source=SOURCE, policy=policy, transfer_name=name)


def pull_in_turn(transfer, peer):
    while True:
        try:
            return pull_study(transfer, peer).received
        except TurnAwaited:
            time.sleep(0.02)


def at_once(peer, transfers):
    """Pull several at the same time; return what each received, or its error."""
    results = {}

    def pull(transfer):
        try:
            results[transfer.id] = pull_in_turn(transfer, peer)
        except Exception as error:  # noqa: BLE001 - it is what is looked at
            results[transfer.id] = error

    threads = [threading.Thread(target=pull, args=(transfer,)) for transfer in transfers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [results.get(transfer.id) for transfer in transfers]


def whole(transfer, files):
    """Whether exactly these files lie in the workspace, and are the same."""
    folder = transfer.workspace.folder("incoming")
    there = {path.name for path in folder.iterdir()}
    return there == {f"{transfer.instance_id(uid)}.dcm" for uid in files} and all(
        dcmread(folder / f"{transfer.instance_id(uid)}.dcm") == dcmread(path) for uid, path in files.items()
    )


def ask(peer, tmp_path, study_uid, **inbox):
    """Ask for a study; return the inbox."""
    folder = tmp_path / f"in{generate_uid()}"
    folder.mkdir()
    inbox = Inbox(folder, study_uid, **inbox)
    move(peer, [Retrieval(study_uid)], inbox, tmp_path / "home")
    return inbox
