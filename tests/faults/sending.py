"""What a research PACS does: statuses, aborts, silence, refusals; and one that keeps less than it says."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context

from airlock.deliver.step import confirm_receipt, send_to_research
from airlock.dicomio.find import find_instances
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import VERIFICATION
from airlock.ledger import InstanceState, InstanceUpdate
from demo.pacs import answers
from demo.services import free_port
from tests.faults.outcome import Clock, Outcome, compare, states, until_done
from tests.pacs import START
from tests.simulated_pacs import SimulatedPacs
from tests.studies import CT, MR, make_instance, make_study
from tests.transfers import make_ready, make_transfer

POLICY = {"destination": {"busy_seconds": 0.05}}
COUNT = 20


def _made(folder: Path, **policy):
    files = make_study(folder / "made", str(generate_uid()), 2, COUNT // 2)
    transfer = make_transfer(folder, policy={"destination": {**POLICY["destination"], **policy}})
    make_ready(transfer, files)
    return transfer, files


def deliver(transfer, peer):
    send_to_research(transfer, peer)
    confirm_receipt(transfer, peer)


def simulated(injected: str, **behaviour) -> Callable[[Path], Outcome]:
    """Return a scenario with the simulator. A refusal for good is cleared by a person each time."""

    def run(folder: Path) -> Outcome:
        outcome = Outcome(injected)
        transfer, files = _made(folder)
        outcome.follow(transfer, "send_to_research")
        pacs = SimulatedPacs(**behaviour)
        with pacs.running(dimse_timeout=2, network_timeout=4) as peer, Clock(outcome):
            until_done(outcome, lambda: deliver(transfer, peer))
        return compare(outcome, transfer, _kept(pacs, behaviour), files)

    return run


def _kept(pacs: SimulatedPacs, behaviour) -> list[str]:
    """SOPInstanceUIDs of the C-STOREs that the simulator kept."""
    refused = {n for n, s in behaviour.get("store_statuses", {}).items() if s and s >> 12 != 0xB}
    not_kept = refused | set(behaviour.get("drop", ())) | {behaviour.get("abort_at")}
    return [uid for n, uid in enumerate(pacs.stored, start=1) if n not in not_kept]


def rejected(folder: Path) -> Outcome:
    """The association is rejected for the moment, then for good, then accepted."""
    outcome = Outcome("association rejected: local limit exceeded (transient), then calling AE unknown, then accepted")
    transfer, files = _made(folder)
    outcome.follow(transfer, "send_to_research")
    pacs = SimulatedPacs()
    with pacs.running() as peer, Clock(outcome):
        pacs.entity.maximum_associations = 1
        other = AE("OTHER").associate("127.0.0.1", peer.port, [build_context(VERIFICATION)], ae_title="SIMULATED")
        steps = [other.release, lambda: setattr(pacs.entity, "require_calling_aet", [])]

        def mend():
            step = steps.pop(0)
            step()
            if len(steps) == 1:
                pacs.entity.require_calling_aet = ["SOMEBODY"]

        until_done(outcome, lambda: deliver(transfer, peer), between=mend)
    return compare(outcome, transfer, pacs.stored, files)


def silent(folder: Path) -> Outcome:
    """It takes one instance and says nothing for longer than the timeout."""
    outcome = Outcome("no answer to the 7th C-STORE for longer than dimse_timeout (2 s); it was stored")
    transfer, files = _made(folder)
    outcome.follow(transfer, "send_to_research")
    pacs = SimulatedPacs(on_store=lambda n: time.sleep(4) if n == 7 else None)
    with pacs.running(dimse_timeout=2) as peer, Clock(outcome):
        until_done(outcome, lambda: deliver(transfer, peer))
    return compare(outcome, transfer, pacs.stored, files)


def one_class_is_not_accepted(folder: Path) -> Outcome:
    """Only CT is accepted: the others are held with a list, until the PACS takes them."""
    outcome = Outcome("no presentation context for MR; accepted after a person had the PACS take it")
    study, files = str(generate_uid()), {}
    for number in range(COUNT):
        uid = str(generate_uid())
        sop_class = CT if number % 2 else MR
        files[uid] = make_instance(folder / "made" / str(number), study, f"1.2.{number % 2}", uid, sop_class=sop_class)
    transfer = make_transfer(folder, policy=POLICY)
    outcome.follow(transfer, "send_to_research")
    make_ready(transfer, files)
    pacs = SimulatedPacs(storage=[build_context(CT, [ExplicitVRLittleEndian])])
    with Clock(outcome):
        with pacs.running() as peer:
            until_done(outcome, lambda: deliver(transfer, peer), tries=1)
        outcome.injected += f" (first: {states(transfer)})"
        pacs.storage = None
        with pacs.running() as peer:
            until_done(outcome, lambda: deliver(transfer, peer))
    return compare(outcome, transfer, pacs.stored, files)


def real(name: str) -> Callable[[Path], Outcome]:
    """Return a scenario in which a real PACS is killed in the middle, and started again."""

    def run(folder: Path) -> Outcome:
        outcome = Outcome(f"{name} is stopped after half of the instances, and started again")
        transfer, files = _made(folder, kilobytes_per_second=60)
        outcome.follow(transfer, "send_to_research")
        port = free_port()
        with Clock(outcome):
            with START[name](folder / name, port=port) as peer:
                half = {uid: files[uid] for uid in sorted(files)[: COUNT // 2]}
                _only(transfer, half, lambda: send_to_research(transfer, peer))
            until_done(outcome, lambda: deliver(transfer, peer), tries=1)
            with START[name](folder / name, port=port) as peer:
                until_done(outcome, lambda: deliver(transfer, peer))
                study = dcmread(next(iter(files.values())), stop_before_pixels=True).StudyInstanceUID
                found = find_instances(peer, study)
        return compare(outcome, transfer, list(found), files)

    return run


def _only(transfer, chosen, work):
    """Do work while only some of the instances are ready."""
    others = [i for i in transfer.ledger.instances(transfer.id) if i.sop_instance_uid not in chosen]
    transfer.ledger.record(transfer.id, [InstanceUpdate(i.id, InstanceState.RECEIVED) for i in others])
    work()
    transfer.ledger.record(transfer.id, [InstanceUpdate(i.id, InstanceState.READY) for i in others])


@contextmanager
def _storescp(folder: Path, port: int, *options: str) -> Iterator[Peer]:
    folder.mkdir(exist_ok=True)
    command = ["storescp", "-aet", "STORESCP", "-od", str(folder), *options, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peer = Peer("127.0.0.1", port, called_aet="STORESCP", dimse_timeout=2, acse_timeout=5)
    try:
        end = time.monotonic() + 5
        while "--refuse" not in options and not answers(peer) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)
        yield peer
    finally:
        process.terminate()
        process.wait(10)


def storescp(*options: str) -> Callable[[Path], Outcome]:
    """Return a scenario with DCMTK's storescp, which misbehaves twice and then doesn't, and offers no C-FIND."""

    def run(folder: Path) -> Outcome:
        outcome = Outcome(f"storescp {' '.join(options)} for two tries; then without. It offers no C-FIND")
        transfer, files = _made(folder)
        outcome.follow(transfer, "send_to_research")
        port, target = free_port(), folder / "received"
        with Clock(outcome):
            with _storescp(target, port, *options) as peer:
                until_done(outcome, lambda: send_to_research(transfer, peer), tries=2)
            with _storescp(target, port) as peer:
                until_done(outcome, lambda: send_to_research(transfer, peer))
                until_done(outcome, lambda: confirm_receipt(transfer, peer), tries=1)
        found = {str(dcmread(p, stop_before_pixels=True).SOPInstanceUID) for p in target.iterdir()}
        compare(outcome, transfer, found, files)
        # Nothing proves them, and the step says so by failing: the transfer is not "sent".
        outcome.told = outcome.errors[-1] == "NoContextAccepted"
        return outcome

    return run


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "send busy": simulated("0xA700 twice, 0xA701 once", store_statuses={2: 0xA700, 9: 0xA700, 15: 0xA701}),
    "send refused": simulated(
        "0xA900, 0xC000, 0x0122 for one each; a person clears the task", store_statuses={3: 0xA900, 4: 0xC000, 9: 0x122}
    ),
    "send warnings": simulated("0xB000, 0xB006, 0xB007", store_statuses={1: 0xB000, 2: 0xB006, 3: 0xB007}),
    "send abort": simulated("abort at the 8th C-STORE, before it is stored", abort_at=8),
    "send dropped": simulated("success for the 5th, 6th and 20th C-STORE, and nothing stored", drop={5, 6, 20}),
    "send limit": simulated("C-FIND shows 5 answers at most", limit=5),
    "send rejected": rejected,
    "send silence": silent,
    "send one class": one_class_is_not_accepted,
    "send storescp abort-after": storescp("--abort-after"),
    "send storescp abort-during": storescp("--abort-during"),
    "send storescp refuse": storescp("--refuse"),
    "send storescp slow": storescp("--sleep-after", "1"),
    "send storescp slower": storescp("--sleep-during", "3"),
    "send dcmqrscp": real("dcmqrscp"),
    "send Orthanc": real("orthanc"),
}
