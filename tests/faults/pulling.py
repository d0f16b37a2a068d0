"""What a staging PACS does, and studies that come twice, in parts, or at the same time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

from pydicom.uid import generate_uid

from airlock.dicomio.peer import Peer
from airlock.retrieve.step import pull_study
from tests.faults.outcome import Clock, Outcome, states, until_done
from tests.simulated_pacs import SimulatedPacs
from tests.studies import make_study
from tests.transfers import make_transfer

COUNT = 20
METHODS = ("c-move", "c-get")


def _pulling(folder: Path, study_uid: str, method: str, **request):
    return make_transfer(folder, study_uid=study_uid, source={"method": method, "connection": "staging"}, **request)


def compare(outcome: Outcome, transfer, files) -> Outcome:
    """Compare what was pulled with what the PACS has."""
    folder = transfer.workspace.folder("incoming")
    there = {path.stem for path in folder.glob("*.dcm")}
    wanted = {transfer.instance_id(uid) for uid in files}
    known = {i.id for i in transfer.ledger.instances(transfer.id)}
    outcome.lost = len(wanted - there)
    outcome.doubled = len(there - wanted)
    outcome.unproven = len(there ^ known) if transfer.ledger.find(transfer.id).expected == len(there) else len(there)
    outcome.ledger = states(transfer)
    outcome.pacs = f"{len(there & wanted)} of {len(files)} pulled"
    outcome.ask_redcap(ended=False)
    return outcome


def simulated(injected: str, method: str, mend=None, **behaviour) -> Callable[[Path], Outcome]:
    """Return a scenario with the simulator.

    :param mend: attributes of the simulator that are set after each error.
    """

    def run(folder: Path) -> Outcome:
        outcome = Outcome(f"{method}: {injected}")
        study_uid = str(generate_uid())
        files = make_study(folder / "made", study_uid, 2, COUNT // 2)
        given = {name: value(sorted(files)) if callable(value) else value for name, value in behaviour.items()}
        pacs = SimulatedPacs(**given)
        pacs.hold(files)
        transfer = _pulling(folder, study_uid, method)
        outcome.follow(transfer, "pull_study")

        def repair():
            for name, value in (mend or {}).items():
                setattr(pacs, name, value)

        with pacs.running(dimse_timeout=2) as peer, Clock(outcome):
            until_done(outcome, lambda: pull_study(transfer, peer), between=repair)
        return compare(outcome, transfer, files)

    return run


def garbage(folder: Path) -> Outcome:
    """Something that does not speak DICOM answers first."""
    outcome = Outcome("HTTP in place of an A-ASSOCIATE-AC, then a closed port, then the PACS")
    study_uid = str(generate_uid())
    files = make_study(folder / "made", study_uid, 2, COUNT // 2)
    pacs = SimulatedPacs()
    pacs.hold(files)
    transfer = _pulling(folder, study_uid, "c-get")
    outcome.follow(transfer, "pull_study")
    server = socket.create_server(("127.0.0.1", 0))
    wrong = Peer("127.0.0.1", server.getsockname()[1], acse_timeout=1)
    threading.Thread(target=_answer, args=(server,), daemon=True).start()
    with pacs.running() as peer, Clock(outcome):
        peers = [wrong, wrong, peer]

        def pull():
            pull_study(transfer, peers[0])

        def mend():
            server.close()
            peers.pop(0)

        until_done(outcome, pull, between=mend)
    return compare(outcome, transfer, files)


def _answer(server: socket.socket) -> None:
    with suppress(OSError):
        connection, _ = server.accept()
        with connection:
            connection.recv(10)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 10)


def same_twice(folder: Path, beside=lambda _: nullcontext()) -> Outcome:
    """Two requests for the same study pull at the same time, then one of them again.

    :param beside: what runs meanwhile.
    """
    outcome = Outcome("two requests for the same study at once, and the first once more")
    study_uid = str(generate_uid())
    files = make_study(folder / "made", study_uid, 2, COUNT // 2)
    pacs = SimulatedPacs()
    pacs.hold(files)
    first = _pulling(folder, study_uid, "c-move")
    second = _pulling(folder, study_uid, "c-move", transfer_name="T-002")
    outcome.follow(second, "pull_study")
    with pacs.running() as peer, beside(peer), Clock(outcome):
        threads = [
            threading.Thread(target=until_done, args=(outcome, lambda t=t: pull_study(t, peer)))
            for t in (first, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        before = len(pacs.retrieved)
        pull_study(first, peer)
    compare(outcome, second, files)
    other = compare(Outcome(""), first, files)
    outcome.lost += other.lost
    outcome.doubled += other.doubled + len(pacs.retrieved) - before
    outcome.unproven += other.unproven
    return outcome


def _per_method() -> dict[str, Callable[[Path], Outcome]]:
    found = {}
    for method in METHODS:
        found[f"pull fewer {method}"] = simulated(
            "one of 20 is not sent, until the 2nd try", method, mend={"withhold": set()}, withhold=lambda u: {u[3]}
        )
        found[f"pull no image level {method}"] = simulated(
            "no IMAGE level, numbers told", method, image_level=False, tells_count=True
        )
        found[f"pull limit {method}"] = simulated("5 answers at most, numbers told", method, limit=5, tells_count=True)
    for status in (0xA700, 0xA900, 0xC001, 0xFE00):
        found[f"pull C-FIND 0x{status:04X}"] = simulated(
            f"C-FIND ends with 0x{status:04X}, until the 2nd try", "c-get", mend={"find_status": 0}, find_status=status
        )
    found["pull unknown destination"] = simulated_unknown_destination
    return found


def simulated_unknown_destination(folder: Path) -> Outcome:
    """C-MOVE 0xA801, then the title is registered."""
    outcome = Outcome("c-move: 0xA801, until our title is registered")
    study_uid = str(generate_uid())
    files = make_study(folder / "made", study_uid, 2, COUNT // 2)
    pacs = SimulatedPacs()
    pacs.hold(files)
    transfer = _pulling(folder, study_uid, "c-move")
    outcome.follow(transfer, "pull_study")
    with pacs.running() as peer, Clock(outcome):
        right, pacs.destinations = pacs.destinations, {}
        until_done(outcome, lambda: pull_study(transfer, peer), between=lambda: setattr(pacs, "destinations", right))
    return compare(outcome, transfer, files)


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "pull twice": same_twice,
    **_per_method(),
    "pull garbage": garbage,
}
