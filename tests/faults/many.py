"""A study of more files than 16 bits count."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from pydicom.uid import generate_uid

from airlock.deliver.outlets import Dimse
from airlock.dicomio.peer import Peer
from airlock.dicomio.store import Outcome as Answer
from airlock.ledger import InstanceState, InstanceUpdate
from tests.faults.outcome import Clock, Outcome, compare, until_done
from tests.faults.sending import POLICY, deliver
from tests.studies import make_instance
from tests.transfers import make_transfer


def many_files(folder: Path) -> Outcome:
    """A study of more files than 16 bits count goes through the step and its proof, to a destination without a network.

    The files are links to a few; what is looked at is that each is sent once and proven.
    """
    outcome = Outcome("70,000 files in one study, 10,000 per association, 50 refused as busy")
    study, base = str(generate_uid()), folder / "base"
    for number in range(2):
        make_instance(base / str(number), study, "1.2", f"1.2.{number}", size=0)
    transfer = make_transfer(folder, policy=POLICY)
    target = transfer.workspace.folder("deidentified") / study / "1.2"
    target.mkdir(parents=True)
    uids = [f"1.2.3.{number}" for number in range(70_000)]
    for number, uid in enumerate(uids):
        # A file can have no more than 65,000 names on some file systems.
        os.link(base / str(number % 2), target / f"{uid}.dcm")
    rows = (
        InstanceUpdate(f"i-{uid}", InstanceState.READY, sop_instance_uid=uid, path=f"{study}/1.2/{uid}.dcm")
        for uid in uids
    )
    transfer.ledger.record(transfer.id, rows)
    stored: list[str] = []
    batches: list[int] = []

    def send(_, files, before, pace):
        batches.append(len(files))
        for file in files:
            before(file.id)
            busy = len(batches) == 1 and len(stored) >= 9_950
            if not busy:
                stored.append(file.path.stem)
            yield Answer(file.id, 0xA700 if busy else 0)

    def show(_, sent):
        there = set(stored)
        return {one.id for one in sent if one.sop_uid in there}

    with patch.object(Dimse, "send", send), patch.object(Dimse, "shows", show), Clock(outcome):
        until_done(outcome, lambda: deliver(transfer, Peer("127.0.0.1", 9)))
    outcome.injected += f"; sent as {batches}"
    return compare(outcome, transfer, stored, uids)


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {"send 70,000": many_files}
