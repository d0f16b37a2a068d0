"""What each system says at the end, asked of each by itself: nothing here uses Airlock's ledger, client or counting."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.fortnight.world import World

Wish = tuple[str, str, str]
"""Study, project and subject of a request: what it is known by in every system."""


@dataclass
class Found:
    """What there is.

    :param transfers: rows of the ledger by id.
    :param endings: states in which each transfer ended, in order.
    :param instances: states of each transfer's instances.
    :param studies: instances at the research PACS, by study and patient there.
    :param rows: REDCap's rows of transfers by study and repeat instance.
    :param done: archived requests that went well, by what they asked for.
    """

    transfers: dict[str, dict[str, Any]] = field(default_factory=dict)
    endings: dict[str, list[str]] = field(default_factory=dict)
    instances: dict[str, Counter[str]] = field(default_factory=dict)
    owed: int = 0
    studies: dict[str, tuple[str, int]] = field(default_factory=dict)
    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    done: Counter[Wish] = field(default_factory=Counter)
    failed: Counter[Wish] = field(default_factory=Counter)
    duplicates: Counter[Wish] = field(default_factory=Counter)
    runs: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def find_all(world: World) -> Found:
    """Ask everybody."""
    found = Found()
    _ledger(world, found)
    _redcap(world, found)
    _pacs(world, found)
    _archives(world, found)
    _airflow(world, found)
    found.left = [path.name for path in world.settings.drop_folder.iterdir()]
    return found


def _ledger(world: World, found: Found) -> None:
    with closing(sqlite3.connect(f"file:{world.home / 'ledger.db'}?mode=ro", uri=True, timeout=30)) as database:
        database.row_factory = sqlite3.Row
        for row in database.execute("SELECT * FROM transfers"):
            found.transfers[row["id"]] = dict(row)
        endings, instances = defaultdict(list), defaultdict(Counter)
        for row in database.execute("SELECT transfer_id, detail FROM events WHERE kind = 'state' ORDER BY id"):
            after = json.loads(row["detail"])["after"]
            if after not in ("requested", "running", "in review"):
                endings[row["transfer_id"]].append(after)
        for row in database.execute("SELECT transfer_id, state FROM instances"):
            instances[row["transfer_id"]][row["state"]] += 1
        found.endings, found.instances = dict(endings), dict(instances)
        found.owed = database.execute("SELECT count(*) FROM statuses WHERE delivered_at IS NULL").fetchone()[0]


def _redcap(world: World, found: Found) -> None:
    form = {"token": world.stack.state["token"], "content": "record", "format": "json", "type": "flat"}
    for row in requests.post(world.stack.redcap_url, data=form, timeout=60).json():
        if row["redcap_repeat_instrument"] == "transfers":
            found.rows[row["study_instance_uid"], str(row["redcap_repeat_instance"])] = row


def _pacs(world: World, found: Found) -> None:
    # By REST: pynetdicom by itself now and then loses an answer of a C-FIND.
    pacs = f"http://127.0.0.1:{world.stack.state['research_http']}"
    for study in requests.get(f"{pacs}/studies", params={"expand": ""}, timeout=60).json():
        instances = requests.get(f"{pacs}/studies/{study['ID']}/instances", timeout=60).json()
        patient, uid = study["PatientMainDicomTags"]["PatientID"], study["MainDicomTags"]["StudyInstanceUID"]
        found.studies[uid] = (patient, len(instances))


def _archives(world: World, found: Found) -> None:
    done, failed = world.settings.proc_folder / "transfers_done", world.settings.proc_folder / "transfers_fail"
    for path in done.glob("*.log") if done.exists() else ():
        kind = found.duplicates if "_duplicate_" in path.name else found.done
        kind[_wish(path)] += 1
    for path in failed.glob("*_fail*.log") if failed.exists() else ():
        if "_fail_messages" not in path.name:
            found.failed[_wish(path)] += 1


def _wish(path: Path) -> Wish:
    try:
        document = json.loads(path.read_text())
    except ValueError:
        return ("", "", path.name)
    return (
        document["study_instance_uid"],
        document["transfer_project_name"],
        document["transfer_name"],
    )


def _airflow(world: World, found: Found) -> None:
    offset = 0
    while True:
        parameters = {"limit": 100, "offset": offset, "order_by": "id"}
        page = world.stack.airflow.api("GET", "dags/transfer/dagRuns", params=parameters).json()
        found.runs |= {run["dag_run_id"]: run["state"] for run in page["dag_runs"]}
        offset += 100
        if offset >= page["total_entries"]:
            return
