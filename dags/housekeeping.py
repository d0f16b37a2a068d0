"""Removes what nobody needs any more."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock_provider.defaults import task_defaults

RUNBOOK = """
### Retention

Workspaces of transfers that went well are removed at once. Those of failed ones are kept for `AIRLOCK_KEEP_FAILED_DAYS`
so that the failed task can be cleared; then they are removed here. Held transfers are kept until a person decided.

With less than `AIRLOCK_MIN_FREE_GIGABYTES` free, requests wait where they are, and transfers wait before they pull a
study or write the de-identified one: none ends half way because the disk is full.
"""

with DAG(
    dag_id="housekeeping",
    dag_display_name="Housekeeping: retention",
    description="Removes expired workspaces",
    doc_md=RUNBOOK,
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args=task_defaults(),
    tags=["airlock", "housekeeping"],
) as dag:

    @task
    def remove_expired_workspaces() -> int:
        """Remove the workspaces of transfers that failed too long ago; return how many."""
        from airlock_provider.housekeeping import remove_expired_workspaces

        return remove_expired_workspaces()

    remove_expired_workspaces()
