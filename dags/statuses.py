"""Tells REDCap the statuses that it could not be told when they came up."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock_provider.defaults import task_defaults
from airlock_provider.sensors import StatusSensor

RUNBOOK = """
### What REDCap still has to be told

A transfer never waits for REDCap: what it must be told is noted in the ledger with the event that caused it, and
told at once if REDCap answers. Otherwise this DAG tells it: after 15 seconds, then later each time, at most every
15 minutes, until REDCap confirms. It may be away for a day.

`airlock status` shows which transfers' statuses are owed, and why. What REDCap **refuses** (token, field names, a
record that does not exist) must be mended there or in the connection; the next try then succeeds by itself.
"""

with DAG(
    dag_id="statuses",
    dag_display_name="Statuses: what REDCap must be told",
    description="Delivers owed statuses to REDCap until it confirms them",
    doc_md=RUNBOOK,
    schedule="@continuous",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    max_active_runs=1,
    max_consecutive_failed_dag_runs=5,
    default_args=task_defaults(),
    tags=["airlock", "redcap"],
) as dag:

    @task
    def tell_redcap() -> dict[str, int]:
        """Tell what may be told now; return the numbers of rows told, and told later."""
        from airlock_provider.status import deliver_statuses

        return deliver_statuses()

    StatusSensor(task_id="wait_for_status") >> tell_redcap()
