"""Many requests at once, with one very large study among them: nobody starves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pydicom.uid import generate_uid

from airlock.dicomio.peer import Peer
from airlock.dicomio.store import Outgoing, send_files
from airlock.retrieve.step import pull_study
from airlock.settings import Settings
from airlock.transfer import Transfer
from tests.faults import pulling
from tests.faults.outcome import Clock, Outcome, until_done
from tests.pacs import START
from tests.processes import start_any
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_transfer

LARGE, SMALL, SMALL_STUDIES = 5000, 4, 20
_PATIENCE_SECONDS = 330


def pull_timed(transfer_id: str, settings: Settings, peer: Peer, told: Path) -> None:
    """Pull as the scheduler would, and tell when it was done and which errors there were."""
    outcome = Outcome("")

    def pull():
        pull_study(Transfer.open(transfer_id, settings), peer)

    if until_done(outcome, pull, tries=30, between=lambda: time.sleep(1)):
        (told / transfer_id).write_text(json.dumps([time.time(), outcome.errors]))


Beside = Callable[[Path, Peer], AbstractContextManager[object]]


def crowd(requests: int, method: str, beside: Beside = lambda *_: nullcontext()) -> Callable[[Path], Outcome]:
    """Return a scenario in which that many requests, each a process, pull from Orthanc at the same time.

    One asks for a study of 5,000 instances, the others for 20 small ones, in turn.

    :param beside: what runs meanwhile.
    """

    def run(folder: Path) -> Outcome:
        outcome = Outcome(
            f"{method}: {requests} requests at once to Orthanc, one for a study of {LARGE:,}, the others for "
            f"{min(requests - 1, SMALL_STUDIES)} studies of {SMALL}"
        )
        told = folder / "told"
        told.mkdir()
        sizes = [LARGE] + [SMALL] * min(requests - 1, SMALL_STUDIES)
        uids = [str(generate_uid()) for _ in sizes]
        studies = [make_study(folder / f"made{n}", uids[n], 1, size, size=4) for n, size in enumerate(sizes)]
        with START["orthanc"](folder / "orthanc") as peer:
            outgoing = [Outgoing.of(uid, path) for files in studies for uid, path in files.items()]
            assert all(sent.stored for sent in send_files(peer, outgoing))
            work = []
            for number in range(requests):
                which = 0 if number == 0 else 1 + (number - 1) % (len(sizes) - 1)
                source = {"method": method, "connection": "staging"}
                transfer = make_transfer(
                    folder, study_uid=uids[which], source=source, policy=NO_GUARD, transfer_name=f"T-{number}"
                )
                work.append((transfer, studies[which]))
            begun = time.time()
            with beside(folder, peer), Clock(outcome):
                processes = [start_any(pull_timed, t.id, t.settings, peer, told) for t, _ in work]
                for process in processes:
                    process.join(max(0.0, begun + _PATIENCE_SECONDS - time.time()))
                    process.kill()
        return _judge(outcome, work, told, begun)

    return run


def _judge(outcome: Outcome, work: list, told: Path, begun: float) -> Outcome:
    ended: list[float] = []
    for transfer, files in work:
        one = Outcome("")
        one.follow(transfer, "pull_study")
        pulling.compare(one, transfer, files)
        outcome.redcap, outcome.agreeing = one.redcap, outcome.agreeing and one.agreeing
        outcome.lost += one.lost
        outcome.doubled += one.doubled
        outcome.unproven += one.unproven
        at, errors = json.loads((told / transfer.id).read_text()) if (told / transfer.id).exists() else (0, ["starved"])
        outcome.errors += errors
        ended.append(at - begun)
    small = sorted(ended[1:])
    outcome.injected += (
        f"; the large one was whole after {ended[0]:.0f} s, the small ones after {small[0]:.0f} to {small[-1]:.0f} s "
        f"(half of them by {small[len(small) // 2]:.0f} s)"
    )
    outcome.ledger = f"received {sum(t.ledger.counts(t.id).received for t, _ in work)}"
    outcome.pacs = f"{sum(len(files) for _, files in work)} asked for"
    return outcome


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    f"crowd {count} {method}": crowd(count, method) for count in (10, 100) for method in ("c-move", "c-get")
}
