"""Starts the transfers that were asked for in REDCap."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock.settings import load_settings
from airlock_provider.defaults import task_defaults
from airlock_provider.operators.start import StartTransfersOperator

RUNBOOK = """
### A row without a date is a request

Reads the `transfers` instrument of the REDCap that `AIRLOCK_REDCAP_CONNECTION` names. A row with a project, a research
subject and no `transfer_date` starts a run of `transfer`. When it has ended, the row has its date.

* **To ask for the same transfer again**, clear the row's `transfer_date`.
* A row that is no valid request gets its date, *Anonymization error*, and the reason as its message.

How often REDCap is asked is `AIRLOCK_REDCAP_POLL`, a cron expression such as `* * * * *` for every minute. Without it
nothing is asked by itself; *Trigger* asks once.
"""

with DAG(
    dag_id="redcap_poll",
    dag_display_name="REDCap: transfers asked for there",
    description="Rows without a transfer date become transfer runs",
    doc_md=RUNBOOK,
    schedule=load_settings().redcap_poll or None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(),
    tags=["airlock", "redcap", "intake"],
) as dag:

    @task
    def ask_redcap() -> list[dict[str, object]]:
        """Accept what REDCap asks for; return the runs to start, oldest request first."""
        from airlock_provider.intake import requests_from_redcap

        return requests_from_redcap()

    StartTransfersOperator(task_id="start_transfers", starts=ask_redcap())
