"""How each request comes in."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import datetime
from io import StringIO
from typing import Any

from airlock.intake.ask import Ask
from airlock.request import TransferRequest
from airlock.request.model import validate_request
from airlock.workspace import write_atomically
from tests.commands import airlock
from tests.fortnight import studies
from tests.fortnight.scenario import AUTO, Case
from tests.fortnight.world import World

TODAY = datetime.now().astimezone().strftime("%Y-%m-%d")


def prepare(world: World, case: Case) -> None:
    """Make the study, as far as the case has one, and know what the request will be."""
    case.request = _request(world, case)
    case.transfer_id = case.request.transfer_id(world.keys)
    if case.twist == "held":
        studies.not_dicom(world, case)
    elif case.twist == "empty":
        studies.receive(world, case, studies.presentation_state(world, case))
    elif case.twist not in ("missing", "cancelled", "cancelled, then again", "bad"):
        files = studies.images(world, case, case.instances)
        if case.door == "pacs":
            studies.store_at_pacs(world, files)
        elif case.door not in ("route", "coupling", "batch"):
            studies.receive(world, case, files)


def _request(world: World, case: Case) -> TransferRequest:
    study = str(case.patient.study_uid)
    subject = "AUTO" if case.project == AUTO else case.subject
    if case.door in ("csv", "route", "coupling"):
        return Ask(study, case.project, subject).request(world.keys)
    document: dict[str, Any] = {
        "study_instance_uid": study,
        "transfer_project_name": case.project,
        "transfer_name": subject,
        "redcap_repeat_instance": case.instance,
    }
    if case.twist == "dry run":
        document["options"] = {"dry_run": True}
    if case.door == "pacs":
        document["source"] = {"method": "c-move", "connection": "staging_pacs"}
    return validate_request(document)


def ask(world: World, case: Case) -> None:
    """Ask for the transfer by the case's door."""
    globals()[f"_{case.door}"](world, case)


def _fields(request: TransferRequest) -> dict[str, Any]:
    return {
        "study_instance_uid": request.study_instance_uid,
        "transfer_project_name": request.transfer_project_name,
        "transfer_name": request.transfer_name,
        "redcap_repeat_instance": request.redcap_repeat_instance,
    }


def request_of(case: Case) -> TransferRequest:
    """Return the case's request."""
    assert case.request is not None
    return case.request


def _file(world: World, case: Case) -> None:
    content = request_of(case).model_dump_json(exclude_none=True)
    if case.twist == "bad":
        content = content[: len(content) // 2]
    write_atomically(world.settings.drop_folder / request_of(case).file_name, content)


_pacs = _file


def row_of(case: Case) -> dict[str, Any]:
    """Return the row by which somebody asks for the transfer in REDCap."""
    row = {"redcap_repeat_instrument": "transfers", **_fields(request_of(case))}
    if case.twist == "bad":
        row["study_instance_uid"] = f"not a UID {case.number}"
    return row


def _redcap(world: World, case: Case) -> None:
    assert world.sandbox is not None
    world.sandbox.enter(row_of(case))


def _rest(world: World, case: Case) -> None:
    body = {"logical_date": None, "conf": _fields(request_of(case))}
    answer = world.stack.airflow.api("POST", "dags/transfer/dagRuns", json=body)
    assert answer.json()["dag_run_id"] == case.transfer_id


def _page(world: World, case: Case) -> None:
    answer = world.stack.airflow.page("POST", "airlock/api/requests", json=_fields(request_of(case)))
    assert answer.json()["transfer"] == case.transfer_id


def _csv(world: World, case: Case) -> None:
    """Ask with a list of two: the second line is a study that nobody has."""
    listed, missing = world.home / f"list-{case.number}.csv", world.home / f"missing-{case.number}.csv"
    text = StringIO()
    lines = csv.writer(text)
    lines.writerow(["study_instance_uid", "transfer_name"])
    lines.writerow([case.patient.study_uid, case.subject])
    lines.writerow([f"1.2.826.0.1.3680043.10.404.{case.number}", "FN-NOBODY"])
    listed.write_text(text.getvalue())
    ended = airlock("request", "import", listed, "--project", case.project, "--missing", missing)
    not_found = len(missing.read_text().splitlines()) - 1
    if (ended.status, not_found) != (2, 2 if case.twist == "bad" else 1):
        case.notes.append(f"the list ended with {ended.status}, {not_found} lines were not found")


def _route(world: World, case: Case) -> None:
    studies.receive(world, case, studies.images(world, case, case.instances))


def _coupling(world: World, case: Case) -> None:
    path = world.home / "coupling.csv"
    line = f"{case.patient.accession},,{case.project},{case.subject},,{TODAY}\n"
    write_atomically(path, path.read_text() + line)
    studies.receive(world, case, studies.images(world, case, case.instances))


def _batch(world: World, case: Case) -> None:
    """Write the study and its request into a folder, and rename it into place."""
    writing = world.settings.proc_folder / "batches" / f"{case.number}.part"
    writing.mkdir(parents=True)
    for file in studies.images(world, case, case.instances):
        shutil.copyfile(file, writing / file.name)
    (writing / "request.json").write_text(request_of(case).model_dump_json(exclude_none=True))
    writing.rename(writing.with_suffix(""))


def again(world: World, case: Case) -> None:
    """Ask for a transfer again that has ended: in REDCap by a cleared date, else by the command."""
    if case.door == "redcap":
        assert world.sandbox is not None
        world.sandbox.enter(row_of(case) | {"transfer_date": ""})
    elif airlock("request", "again", case.transfer_id).status:
        case.notes.append("it could not be asked for again")


def twice(world: World, case: Case) -> None:
    """Ask for the same once more."""
    if case.door == "rest":
        body = {"logical_date": None, "conf": _fields(request_of(case))}
        answer = world.stack.airflow.api("POST", "dags/transfer/dagRuns", json=body, check=False)
        if answer.status_code != 409:
            case.notes.append(f"the second call was answered with {answer.status_code}")
    else:
        _file(world, case)
        case.duplicates = 1


def told(world: World, case: Case) -> dict[str, Any]:
    """Return the row that REDCap has of a transfer; empty when there is none."""
    assert world.sandbox is not None
    wanted = row_of(case)
    keys = ("study_instance_uid", "redcap_repeat_instance")
    found = [row for row in world.sandbox.records if all(str(row[key]) == str(wanted[key]) for key in keys)]
    return json.loads(json.dumps(found[0])) if found else {}
