"""Watches the drop folder and starts one transfer run per request file."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock_provider.defaults import task_defaults
from airlock_provider.operators.start import StartTransfersOperator
from airlock_provider.sensors import RequestSensor

RUNBOOK = """
### Drop a request file, and a transfer starts

Waits (without holding a worker) for `*.json` in `<AIRLOCK_PROC>/transfer_requests`. Write a file under another name
(`.tmp`, `.part`) and rename it, or write it in one go: a file that still changes is left alone.

* A valid request starts a run of `transfer` named after the request. The same file again starts nothing.
* `<transfer id>.again.json` (`airlock request again`) starts a transfer that has ended from the beginning.
* At most `AIRLOCK_MAX_STARTS` start at a time: by priority, then the oldest first.
* A file that is not valid is moved to `transfers_fail`, the reason beside it. It never disturbs the others.
* After five failed runs in a row this DAG pauses itself: look at the log of the last one, mend, unpause.
"""

with DAG(
    dag_id="intake",
    dag_display_name="Intake: request files",
    description="Drop folder to transfer runs",
    doc_md=RUNBOOK,
    schedule="@continuous",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_runs=1,
    max_consecutive_failed_dag_runs=5,
    default_args=task_defaults(),
    tags=["airlock", "intake"],
) as dag:

    @task
    def read_requests() -> list[dict[str, object]]:
        """Accept what is valid, reject what is not; return the runs to start, oldest request first."""
        from airlock_provider.intake import read_requests

        return read_requests()

    @task
    def archive_requests(runs: list[dict[str, object]]) -> None:
        """Empty the drop folder of the requests whose runs exist now."""
        from airlock_provider.intake import archive_requests

        archive_requests([str(run["run_id"]) for run in runs])

    wait_for_request = RequestSensor(task_id="wait_for_request")
    runs = read_requests()
    start_transfers = StartTransfersOperator(task_id="start_transfers", starts=runs)

    wait_for_request >> runs >> start_transfers >> archive_requests(runs)
