"""The receiving service that pulls share (`airlock scp --moves`): killed, full, called by strangers, not asked."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

from airlock.dicomio.peer import Peer
from airlock.retrieve.step import pull_study
from tests.faults import machine, pulling
from tests.faults.crowd import crowd
from tests.faults.outcome import Clock, Outcome, until_done
from tests.receiving import start_service
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_instance, make_study
from tests.transfers import NO_GUARD, make_transfer

COUNT = 40
_PAUSE_SECONDS = 0.02
SOURCE = {"method": "c-move", "connection": "staging"}


class Service:
    """`airlock scp --moves` of a home, that can be killed and started again."""

    def __init__(self, home: Path, peer: Peer, *options: str) -> None:
        self._of, self._options = (home, peer), options
        self._process = start_service(home, peer, *options)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._process.stdout.close()

    def restart(self, *options: str) -> None:
        self.kill()
        self._process = start_service(*self._of, *(options or self._options))

    def stop(self) -> str:
        """End it; return what it says."""
        self._process.terminate()
        with suppress(ValueError):
            return self._process.communicate(timeout=20)[0]
        return ""


@contextmanager
def service(home: Path, peer: Peer, *options: str) -> Iterator[Service]:
    running = Service(home, peer, *options)
    try:
        yield running
    finally:
        running.kill()


def crowded(requests: int) -> Callable[[Path], Outcome]:
    """Return the crowd, with C-MOVE, at the service."""
    return crowd(requests, "c-move", lambda folder, peer: service(folder / "home", peer))


def killed(seed: int) -> Callable[[Path], Outcome]:
    """Return a scenario in which the service is killed at a random moment of a pull, twice, and started again."""

    def run(folder: Path) -> Outcome:
        chance = random.Random(seed)
        outcome = Outcome(f"SIGKILL of the service, twice (seed {seed})")
        study_uid = str(generate_uid())
        files = make_study(folder / "made", study_uid, 2, COUNT // 2)
        transfer = make_transfer(folder, study_uid=study_uid, source=SOURCE, policy=NO_GUARD)
        outcome.follow(transfer, "pull_study")
        pacs = SimulatedPacs()
        pacs.hold(files)
        pacs.on_retrieve = lambda _: time.sleep(_PAUSE_SECONDS)
        points = []
        with pacs.running() as peer, service(folder / "home", peer) as running, Clock(outcome):
            pacs.entity.dimse_timeout = 1
            done = threading.Event()

            def spoil():
                for _ in range(2):
                    before = len(pacs.retrieved)
                    while len(pacs.retrieved) == before and not done.wait(0.002):
                        pass
                    time.sleep(chance.uniform(0, COUNT * _PAUSE_SECONDS))
                    points.append(len(pacs.retrieved))
                    running.restart()

            spoiler = threading.Thread(target=spoil)
            spoiler.start()
            until_done(outcome, lambda: pull_study(transfer, peer), tries=30, between=lambda: time.sleep(0.3))
            done.set()
            spoiler.join(30)
        outcome.injected += f", after {points[0]} and {points[1]} sub-operations"
        pulling.compare(outcome, transfer, files)
        outcome.doubled += _left(folder, transfer)
        return outcome

    return run


def _left(folder: Path, transfer) -> int:
    """Count files that nobody has a name for."""
    left = [path for path in transfer.workspace.root.rglob("*") if path.name.endswith((".part", ".partial"))]
    return len(left) + sum(path.is_file() for path in (folder / "home" / "scp").glob("*.coming/*/*"))


def full(folder: Path) -> Outcome:
    """The disk of the home has less room than the service leaves free; then there is room."""
    outcome = Outcome("the service's disk has less free than it leaves (c-move: 0xA700 for each), then room")
    study_uid = str(generate_uid())
    files = make_study(folder / "made", study_uid, 2, COUNT // 2)
    pacs = SimulatedPacs()
    pacs.hold(files)
    settings = {"ledger_url": f"sqlite:///{folder / 'ledger.db'}", "key_file": folder / "key", "proc": folder / "p"}
    with machine.small_disk(folder / "home", "size=8m") as home, pacs.running(network_timeout=1) as peer:
        transfer = make_transfer(folder, study_uid=study_uid, source=SOURCE, policy=NO_GUARD, settings=settings)
        outcome.follow(transfer, "pull_study")
        with service(home, peer) as running, Clock(outcome):
            machine.remount(home, "size=512k")

            def mend():
                assert not list(home.rglob("*.dcm"))
                machine.remount(home, "size=8m")

            until_done(outcome, lambda: pull_study(transfer, peer), between=mend)
            outcome.injected += f"; it told: {running.stop().strip()}"
        return pulling.compare(outcome, transfer, files)


def unasked(folder: Path) -> Outcome:
    """The PACS sends another study too."""
    outcome = Outcome("an instance of another study comes too: refused as 0x0124")
    study_uid = str(generate_uid())
    files = make_study(folder / "made", study_uid, 2, COUNT // 2)
    stranger = make_instance(folder / "stranger", str(generate_uid()), "1.2", str(generate_uid()))
    pacs = SimulatedPacs(extra=[dcmread(stranger)])
    pacs.hold(files)
    transfer = make_transfer(folder, study_uid=study_uid, source=SOURCE, policy=NO_GUARD)
    outcome.follow(transfer, "pull_study")
    with pacs.running() as peer, service(folder / "home", peer) as running, Clock(outcome):
        until_done(outcome, lambda: pull_study(transfer, peer))
        outcome.injected += f"; it told: {running.stop().strip()}"
    pulling.compare(outcome, transfer, files)
    outcome.doubled += _left(folder, transfer)
    return outcome


def not_known(folder: Path) -> Outcome:
    """The service doesn't know the PACS by its title, until a person says so."""
    outcome = Outcome("the service admits PACS only, and SIMULATED calls; then it is started with --caller SIMULATED")
    study_uid = str(generate_uid())
    files = make_study(folder / "made", study_uid, 2, COUNT // 2)
    pacs = SimulatedPacs()
    pacs.hold(files)
    transfer = make_transfer(folder, study_uid=study_uid, source=SOURCE, policy=NO_GUARD)
    outcome.follow(transfer, "pull_study")
    with pacs.running() as peer, service(folder / "home", peer, "--caller", "PACS") as running, Clock(outcome):
        until_done(
            outcome, lambda: pull_study(transfer, peer), between=lambda: running.restart("--caller", "SIMULATED")
        )
    return pulling.compare(outcome, transfer, files)


def twice(folder: Path) -> Outcome:
    """Two requests for the same study, at once, at the service."""
    return pulling.same_twice(folder, lambda peer: service(folder / "home", peer))


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "service crowd 10": crowded(10),
    "service crowd 100": crowded(100),
    "service pull twice": twice,
    "service killed": machine.many_times("the service", killed),
    "service disk full": full,
    "service unasked": unasked,
    "service unknown caller": not_known,
}
