"""What happens to each request: a generator per case, which yields what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import requests

from airlock.ledger import TransferState
from tests.commands import airlock
from tests.fortnight import doors, studies
from tests.fortnight.scenario import Case
from tests.fortnight.world import World

Snapshot = dict[str, tuple[str, int]]
Condition = Callable[[Snapshot], bool]
ENDED = {state.value for state in TransferState if state.ended}


def ended(case: Case, attempt: int = 1) -> Condition:
    """Return whether an attempt of the transfer is over."""

    def look(snapshot: Snapshot) -> bool:
        state, number = snapshot.get(case.transfer_id, ("", 0))
        return state in ENDED and number >= attempt

    return look


def life(world: World, case: Case) -> Iterator[Condition]:
    """Ask for the transfer, and do what the case's twist says."""
    if case.twist == "closing" and world.closed:
        case.state, case.sent = "refused", 0
    doors.prepare(world, case)
    doors.ask(world, case)
    if case.twist == "bad":
        yield from _bad(world, case)
        return
    if case.twist.startswith("cancelled"):
        yield lambda snapshot: snapshot.get(case.transfer_id, ("",))[0] == "running"
        _cancel(world, case)
    yield ended(case)
    after = {
        "twice": _twice,
        "again": _again,
        "late": _late,
        "cancelled, then again": _after_all,
        "withdrawn": _withdraw,
    }.get(case.twist)
    if after is not None:
        yield from after(world, case)


def _bad(world: World, case: Case) -> Iterator[Condition]:
    if case.door == "file":
        failed = world.settings.proc_folder / "transfers_fail"
        name = f"{doors.request_of(case).file_name}_fail.log"
        yield lambda _: (failed / name).exists()
    elif case.door == "redcap":
        yield lambda _: bool(doors.told(world, case).get("transfer_date"))
        if doors.told(world, case)["transfers_complete"] != "1":
            case.notes.append("REDCap was not told that it is no request")


def _twice(world: World, case: Case) -> Iterator[Condition]:
    doors.twice(world, case)
    file = world.settings.drop_folder / doors.request_of(case).file_name
    yield lambda _: not file.exists()


def _again(world: World, case: Case) -> Iterator[Condition]:
    if case.door == "redcap":
        yield lambda _: bool(doors.told(world, case).get("transfer_date"))
    case.attempts = 2
    doors.again(world, case)
    yield ended(case, 2)


def _late(world: World, case: Case) -> Iterator[Condition]:
    case.attempts = 2
    case.instances, case.sent = case.instances + 1, case.sent + 1
    files = studies.images(world, case, 1, series=2)
    if case.door == "pacs":
        studies.store_at_pacs(world, files)
    else:
        studies.receive(world, case, files)
    yield ended(case, 2)


def _cancel(world: World, case: Case) -> None:
    if case.door == "page":
        world.stack.airflow.page("POST", f"airlock/api/transfers/{case.transfer_id}/cancel")
    elif airlock("request", "cancel", case.transfer_id).status:
        case.notes.append("it could not be cancelled")


def _after_all(world: World, case: Case) -> Iterator[Condition]:
    """Do a cancelled transfer after all, once its study is there."""
    studies.receive(world, case, studies.images(world, case, case.instances))
    case.attempts = 2
    doors.again(world, case)
    yield ended(case, 2)


def _withdraw(world: World, case: Case) -> Iterator[Condition]:
    answer = world.stack.airflow.page("POST", f"airlock/api/transfers/{case.transfer_id}/withdraw").json()
    if answer["to_delete"] != case.instances:
        case.notes.append(f"{answer['to_delete']} instances are listed to be deleted, not {case.instances}")
    # What the research team does then, with its PACS' own means.
    pacs = f"http://127.0.0.1:{world.stack.state['research_http']}"
    query = {"Level": "Study", "Query": {"PatientID": case.subject}}
    for study in requests.post(f"{pacs}/tools/find", json=query, timeout=30).json():
        requests.delete(f"{pacs}/studies/{study}", timeout=30).raise_for_status()
    yield lambda snapshot: snapshot[case.transfer_id][0] == "withdrawn"
