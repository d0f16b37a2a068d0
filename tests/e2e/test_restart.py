"""What survives: a refusal, a killed worker, an interval done again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

from airlock.dicomio.find import find_instances
from airlock.ledger import TransferState
from tests.e2e.browser import logged_in_page
from tests.e2e.conftest import wait_until
from tests.simulated_pacs import SimulatedPacs


def running(installation, run_id, task_id):
    """Return the state of a task, and the process that runs it. Asking the API takes as long as some tasks."""
    path = installation.settings.home / "airflow" / "airflow.db"
    query = "SELECT state, pid FROM task_instance WHERE run_id = ? AND task_id = ?"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as database:
        return database.execute(query, (run_id, task_id)).fetchone() or (None, None)


def kill_worker(pid):
    """Kill the process that runs a task, its children, and the worker that supervises it."""
    worker = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)
    os.killpg(pid, signal.SIGKILL)


def killed_while_it_writes(installation, run_id, folder):
    """Kill the process that de-identifies when there are files; return whether it was still there then.

    Its processes stand still while we look: a study is written in a tenth of a second, and on a busy machine a look
    from beside comes too late.
    """
    seen = []

    def begun():
        seen.append(running(installation, run_id, "deidentify"))
        state, pid = seen[-1]
        return (state == "running" and pid) or state == "success"

    def stepped_to_files():
        os.killpg(pid, signal.SIGSTOP)
        if any(files for *_, files in os.walk(folder)):
            return True
        os.killpg(pid, signal.SIGCONT)
        sleep(0.005)
        return False

    wait_until(begun, pause=0.01)
    state, pid = seen[-1]
    if state == "success":
        return False
    try:
        wait_until(stepped_to_files, pause=0.001)
    except ProcessLookupError:
        return False
    kill_worker(pid)
    return True


def test_restart_from_the_failed_task(installation, tmp_path):
    """The research PACS refuses once: clearing the failed task goes on there and repeats nothing."""
    installation.stack.start_gate()
    request = installation.request(installation.ct_study(tmp_path), project="demo-gated")
    transfer_id = installation.drop(request)
    assert installation.wait(transfer_id)[transfer_id] == "failed"
    assert installation.find(transfer_id).counts.held == 2
    assert installation.status_row(request)["transfer_error___2"] == "1"
    before = installation.airflow.tasks_of(transfer_id)
    installation.airflow.clear(transfer_id, "send_to_research")
    wait_until(lambda: installation.airflow.run_of(transfer_id)["state"] != "failed")
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).counts.sent == 2
    after = installation.airflow.tasks_of(transfer_id)
    for task_id in ("pull_study", "detect_burned_in_text", "deidentify", "verify_output"):
        assert after[task_id]["start_date"] == before[task_id]["start_date"]
    row = installation.status_row(request)
    assert (row["transfers_complete"], row["transfer_error___2"], row["transfer_error_message"]) == ("2", "0", "")


def test_worker_killed_in_deidentify_and_in_send(installation, tmp_path):
    """The run ends well after the retries; nothing is sent twice, nothing is lost."""
    struck, killed = [], []

    def kill_one(number):
        if struck and not killed and number >= struck[0] + 25:
            killed.append(number)
            kill_worker(running(installation, transfer_id, "send_to_research")[1])

    pacs = SimulatedPacs(on_store=kill_one)
    with pacs.running() as peer:
        installation.add_connection("counting_pacs", peer)
        installation.add_project("counted", destination={"connection": "counting_pacs"})
        # What is over before we came to look is over: then it has to be another study.
        for attempt in range(5):
            study = installation.ct_study(tmp_path / str(attempt), slices=120)
            transfer_id = installation.drop(installation.request(study, project="counted"))
            before = len(pacs.stored)
            partial = installation.settings.transfers_folder / transfer_id / "deidentified.partial"
            if killed_while_it_writes(installation, transfer_id, partial):
                struck.append(before)
                break
            assert installation.wait(transfer_id)[transfer_id] == "success"
        assert installation.wait(transfer_id)[transfer_id] == "success"
        assert killed
        tasks = installation.airflow.tasks_of(transfer_id)
        assert tasks["deidentify"]["try_number"] == 2
        assert tasks["send_to_research"]["try_number"] == 2
        summary = installation.find(transfer_id)
        assert (summary.state, summary.counts.sent) == (TransferState.SENT, 120)
        stored = pacs.stored[before:]
        assert set(Counter(stored).values()) == {1}
        assert len(stored) == 120


def test_backfill_of_redrive_does_an_interval_again(installation, tmp_path):
    """`airflow backfill create --dag-id redrive` over the hour in which a request arrived."""
    request = installation.request(installation.ct_study(tmp_path))
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=48)
    file = installation.drop_folder / request.file_name
    hidden = file.with_name(f".{file.name}")
    hidden.write_text(request.model_dump_json(exclude_none=True))
    os.utime(hidden, (hour.timestamp() + 600,) * 2)
    hidden.rename(file)
    transfer_id = installation.id(request)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    assert installation.find(transfer_id).attempt == 1
    arguments = ["backfill", "create", "--dag-id", "redrive", "--dag-run-conf", json.dumps({"mode": "redo"})]
    arguments += ["--from-date", hour.isoformat(), "--to-date", (hour + timedelta(minutes=59)).isoformat()]
    installation.airflow.run(*arguments)
    wait_until(lambda: installation.ledger.find(transfer_id).attempt == 2, seconds=240)
    assert installation.wait(transfer_id)[transfer_id] == "success"
    summary = installation.find(transfer_id)
    assert (summary.state, summary.counts.sent) == (TransferState.SENT, 2)
    assert len(find_instances(installation.stack.research, installation.mapped_study(transfer_id))) == 2


def active_backfills(airflow):
    """Backfills that are not over; Airflow allows one at a time for a DAG."""
    found = airflow.api("GET", "backfills", params={"dag_id": "redrive"}).json()["backfills"]
    return [backfill["id"] for backfill in found if not backfill["completed_at"]]


def test_backfill_dialog_in_a_browser(installation, tmp_path):
    """The same from the dialog behind *Trigger*: the runs of the interval are made."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=9)
    wait_until(lambda: not active_backfills(installation.airflow), seconds=240)
    with logged_in_page(installation.airflow) as page:
        page.goto(f"{installation.airflow.url}/dags/redrive/runs")
        page.get_by_role("button", name="Trigger").first.click()
        page.get_by_text("Run this Dag for a range of dates").click()
        for moment in (day, day + timedelta(hours=2)):
            page.get_by_text("Select date and time").first.click()
            page.get_by_placeholder("YYYY/MM/DD").last.fill(moment.strftime("%Y/%m/%d"))
            page.get_by_placeholder("HH:mm").last.fill(moment.strftime("%H:%M"))
            page.get_by_text("Date Range").click()
        page.screenshot(path=tmp_path / "backfill.png")
        with page.expect_response(lambda r: r.request.method == "POST" and r.url.endswith("/backfills")) as made:
            page.get_by_role("button", name="Run Backfill").click()
        assert made.value.ok, made.value.text()

    def done():
        found = installation.airflow.api("GET", "dags/redrive/dagRuns", params={"limit": 100}).json()["dag_runs"]
        of_day = [run for run in found if (run["logical_date"] or "").startswith(f"{day:%Y-%m-%d}")]
        return [run["state"] for run in of_day] == ["success"] * 3

    wait_until(done, seconds=240)
