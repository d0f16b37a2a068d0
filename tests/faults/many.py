"""A study of more files than 16 bits count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from pydicom.uid import generate_uid

from airlock.deliver.outlets import Dimse
from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.sink import OUT_OF_RESOURCES, SUCCESS, Caller, Incoming, Refusal
from airlock.ledger import InstanceState, InstanceUpdate
from tests.faults.outcome import Clock, Outcome, compare, until_done
from tests.faults.sending import POLICY, deliver
from tests.studies import make_instance
from tests.transfers import make_transfer

COUNT, PER_ASSOCIATION = 70_000, 10_000
_BUSY_FROM, _BUSY_TO = 9_950, 10_000


class _Destination:
    """Takes everything and keeps the UIDs; of the first association, it is too busy for the last 50."""

    def __init__(self) -> None:
        self.asked = 0
        self.stored: list[str] = []
        self.resident_mib: dict[int, int] = {}

    def begin(self, instance: Incoming) -> Refusal:
        self.asked += 1
        if _BUSY_FROM < self.asked <= _BUSY_TO:
            return Refusal(OUT_OF_RESOURCES)
        self.stored.append(instance.sop_instance_uid)
        if len(self.stored) % PER_ASSOCIATION == 0:
            self.resident_mib[len(self.stored)] = _resident_mib()
        # What is let pass with success is taken, and nothing is written.
        return Refusal(SUCCESS)

    def ended(self, caller: Caller) -> None:
        pass


def many_files(folder: Path) -> Outcome:
    """A study of more files than 16 bits count goes out by C-STORE; the proof is what the destination has.

    Sender, destination and ledger are in one process, so its memory is that of all three.
    """
    outcome = Outcome("70,000 files in one study, 10,000 per association, 50 refused as busy")
    study = str(generate_uid())
    transfer = make_transfer(folder, policy=POLICY)
    outcome.follow(transfer, "send_to_research")
    target = transfer.workspace.folder("deidentified") / study / "1.2"
    target.mkdir(parents=True)
    first = "1.2.3.1000000"
    pattern = make_instance(folder / "pattern", study, "1.2", first, size=0).read_bytes()
    uids = [f"1.2.3.{1_000_000 + number}" for number in range(COUNT)]
    for uid in uids:
        (target / f"{uid}.dcm").write_bytes(pattern.replace(first.encode(), uid.encode()))
    transfer.ledger.record(
        transfer.id,
        (
            InstanceUpdate(f"i-{uid}", InstanceState.READY, sop_instance_uid=uid, path=f"{study}/1.2/{uid}.dcm")
            for uid in uids
        ),
    )
    destination = _Destination()

    def show(_, sent):
        there = set(destination.stored)
        return {one.id for one in sent if one.sop_uid in there}

    server = StorageServer(destination, Admission("MANY"))
    try:
        with patch.object(Dimse, "shows", show), Clock(outcome):
            until_done(outcome, lambda: deliver(transfer, Peer("127.0.0.1", server.port, called_aet="MANY")))
    finally:
        server.stop()
    memory = destination.resident_mib
    outcome.injected += (
        f"; {server.counts['associations']} associations; memory {memory[PER_ASSOCIATION]} MiB after the first 10,000, "
        f"{memory[COUNT]} MiB after the last"
    )
    return compare(outcome, transfer, destination.stored, uids)


def _resident_mib() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) >> 10


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {"send 70,000": many_files}
