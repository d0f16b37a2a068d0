"""What the machine does: processes that are killed at random points, disks that are full or read-only, cancellation."""

from __future__ import annotations

import csv
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydicom.uid import generate_uid

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.deliver.withdraw import withdraw
from airlock.retrieve.step import pull_study
from tests.faults import pulling
from tests.faults.outcome import Clock, Outcome, compare, until_done
from tests.processes import start
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import NO_GUARD, make_ready, make_transfer

COUNT = 40
POINTS = 40
_PAUSE_SECONDS = 0.02


def killed_sending(seed: int, sent: int | None = None) -> Callable[[Path], Outcome]:
    """Return a scenario in which the sender is killed at a random moment, twice."""

    def run(folder: Path) -> Outcome:
        chance = random.Random(seed)
        outcome = Outcome(f"SIGKILL of the sender, twice (seed {seed})")
        files = make_study(folder / "made", str(generate_uid()), 2, COUNT // 2)
        transfer = make_transfer(folder)
        outcome.follow(transfer, "send_to_research")
        make_ready(transfer, files)
        pacs = SimulatedPacs(on_store=lambda _: time.sleep(_PAUSE_SECONDS))
        with pacs.running() as peer, Clock(outcome):
            at = [_kill(start(send_to_research, transfer, peer), chance, pacs.stored) for _ in range(2)]
            until_done(outcome, lambda: send_to_research(transfer, peer))
            until_done(outcome, lambda: confirm_receipt(transfer, peer))
        outcome.injected += f", after {at[0]} and {at[1]} C-STOREs"
        return compare(outcome, transfer, pacs.stored, files)

    return run


def killed_pulling(seed: int, method: str) -> Callable[[Path], Outcome]:
    """Return a scenario in which the puller is killed at a random moment, twice."""

    def run(folder: Path) -> Outcome:
        chance = random.Random(seed)
        outcome = Outcome(f"SIGKILL of the puller, twice ({method}, seed {seed})")
        study_uid = str(generate_uid())
        files = make_study(folder / "made", study_uid, 2, COUNT // 2)
        source = {"method": method, "connection": "staging"}
        transfer = make_transfer(folder, study_uid=study_uid, source=source, policy=NO_GUARD)
        outcome.follow(transfer, "pull_study")
        pacs = SimulatedPacs()
        pacs.hold(files)
        pacs.on_retrieve = lambda _: time.sleep(_PAUSE_SECONDS)
        with pacs.running() as peer, Clock(outcome):
            at = [_kill(start(pull_study, transfer, peer), chance, pacs.retrieved) for _ in range(2)]
            until_done(outcome, lambda: pull_study(transfer, peer))
        outcome.injected += f", after {at[0]} and {at[1]} sub-operations"
        pulling.compare(outcome, transfer, files)
        left = [p.name for p in transfer.workspace.root.rglob("*") if p.name.endswith((".part", ".partial"))]
        outcome.doubled += len(left)
        return outcome

    return run


def many_times(who: str, scenario: Callable[[int], Callable[[Path], Outcome]]) -> Callable[[Path], Outcome]:
    """Return the sum of a scenario with many seeds."""

    def run(folder: Path) -> Outcome:
        total = Outcome("")
        points, received = [], 0
        for seed in range(1, POINTS // 2 + 1):
            own = folder / str(seed)
            own.mkdir()
            one = scenario(seed)(own)
            total.errors += one.errors
            total.redcap, total.agreeing = one.redcap, total.agreeing and one.agreeing
            total.lost, total.doubled = total.lost + one.lost, total.doubled + one.doubled
            total.unproven += one.unproven
            total.seconds += one.seconds
            points += [int(word) for word in one.injected.replace(",", " ").split() if word.isdigit()][-2:]
            received += COUNT - one.lost
        total.injected = (
            f"SIGKILL of {who} at {len(points)} random points, two in each of {POINTS // 2} transfers of {COUNT}: "
            f"after {', '.join(map(str, points))} instances"
        )
        total.ledger, total.pacs = f"{one.ledger} each", f"{received} of {COUNT * (POINTS // 2)}"
        return total

    return run


def _kill(process, chance: random.Random, seen: list) -> int:
    """Kill a process a random time after its work has begun; return how much was seen of it by then."""
    before, end = len(seen), time.monotonic() + 30
    while len(seen) == before and process.is_alive() and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, COUNT * _PAUSE_SECONDS))
    process.kill()
    process.join(30)
    assert process.exitcode in (0, -signal.SIGKILL)
    return len(seen)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own; needs the right to mount."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def disk(injected: str, options: str, mended: str, method: str) -> Callable[[Path], Outcome]:
    """Return a scenario in which the workspaces lie on a disk that cannot be written, until it is mended."""

    def run(folder: Path) -> Outcome:
        outcome = Outcome(f"{injected} ({method})")
        study_uid = str(generate_uid())
        files = make_study(folder / "made", study_uid, 2, COUNT // 2)
        pacs = SimulatedPacs()
        pacs.hold(files)
        source = {"method": method, "connection": "staging"}
        # The database has its own disk, as it should.
        settings = {"ledger_url": f"sqlite:///{folder / 'ledger.db'}", "key_file": folder / "key", "proc": folder / "p"}
        settings["min_free_gigabytes"] = 0  # it fills up all at once, whatever was to be left free
        with small_disk(folder / "home", "size=8m") as home, pacs.running() as peer, Clock(outcome):
            transfer = make_transfer(folder, study_uid=study_uid, source=source, policy=NO_GUARD, settings=settings)
            outcome.follow(transfer, "pull_study")
            remount(home, options)

            def mend():
                assert not transfer.workspace.complete("incoming")
                remount(home, mended)

            until_done(outcome, lambda: pull_study(transfer, peer), between=mend)
            return pulling.compare(outcome, transfer, files)

    return run


def full_while_sending(folder: Path) -> Outcome:
    """The disk with everything on it, the ledger too, fills up while it is sent; then there is room again."""
    outcome = Outcome("disk full, the ledger's too, at the 10th C-STORE, until the 3rd try")
    files = make_study(folder / "made", str(generate_uid()), 2, COUNT // 2)
    with small_disk(folder / "home", "size=8m") as home:
        settings = {"home": home, "ledger_url": f"sqlite:///{home / 'ledger.db'}"}
        transfer = make_transfer(folder, settings=settings)
        outcome.follow(transfer, "send_to_research")
        make_ready(transfer, files)
        filler = home / "filler"
        left = [2]

        def mend() -> None:
            left[0] -= 1
            if not left[0]:
                filler.unlink()

        pacs = SimulatedPacs(on_store=lambda number: _fill(filler) if number == 10 else None)
        with pacs.running() as peer, Clock(outcome):
            until_done(outcome, lambda: send_to_research(transfer, peer), between=mend)
            until_done(outcome, lambda: confirm_receipt(transfer, peer))
        return compare(outcome, transfer, pacs.stored, files)


def _fill(file: Path) -> None:
    """Leave no byte on a disk."""
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(4096))


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)


def cancelled(folder: Path) -> Outcome:
    """A run is cancelled while it sends; the transfer is withdrawn, what is listed is deleted, and it is sent again."""
    outcome = Outcome("cancelled while it sent, withdrawn, deleted as listed, requested again")
    files = make_study(folder / "made", str(generate_uid()), 2, COUNT // 2)
    transfer = make_transfer(folder)
    make_ready(transfer, files)
    pacs = SimulatedPacs(on_store=lambda _: time.sleep(_PAUSE_SECONDS))
    with pacs.running() as peer, Clock(outcome):
        process = start(send_to_research, transfer, peer)
        _kill(process, random.Random(1), pacs.stored)
        # What was in flight is only known to the journal; the next start of the step tells the ledger.
        listed = folder / "delete.csv"
        withdraw(transfer.ledger, transfer.settings, transfer.id, listed)
        with listed.open(newline="") as stream:
            uids = {row["sop_uid"] for row in csv.DictReader(stream)}
        left = set(pacs.instances) - uids
        outcome.injected += f" ({len(uids)} listed, {len(left)} more were there)"
        outcome.lost = len(left)
        for uid in uids:
            pacs.instances.pop(uid, None)
        begin = len(pacs.stored)
        transfer.ledger.restart(transfer.id)
        outcome.follow(transfer, "send_to_research")
        make_ready(transfer, files)
        until_done(outcome, lambda: send_to_research(transfer, peer))
        until_done(outcome, lambda: confirm_receipt(transfer, peer))
    left_over = outcome.lost
    compare(outcome, transfer, pacs.stored[begin:], files)
    outcome.lost += left_over
    return outcome


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "kill send": many_times("the sender", killed_sending),
    "kill move": many_times("the puller, C-MOVE", lambda seed: killed_pulling(seed, "c-move")),
    "kill get": many_times("the puller, C-GET", lambda seed: killed_pulling(seed, "c-get")),
    **{
        f"disk full {m}": disk("disk full after 24 KiB, then room", "size=24k", "size=8m", m)
        for m in ("c-move", "c-get")
    },
    "disk read-only": disk("disk read-only, then writable", "ro", "rw", "c-get"),
    "disk full sending": full_while_sending,
    "cancelled": cancelled,
}
