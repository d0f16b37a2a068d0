"""Looks for transfers that take too long."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock.settings import load_settings
from airlock_provider.defaults import task_defaults

RUNBOOK = """
### Transfers that are overdue

A project's policy may say `notify.deadline_hours`. A transfer that was requested longer ago and has not ended is shown
as overdue on the page *Transfers*, named in this task's log, and its project's people get one e-mail, when
`AIRLOCK_MAIL_CONNECTION` names a connection (host, port, login, password; extra `from` and `encryption`).

Endings are told by the tasks `archive_request` and `report_failure` of the transfer itself.
"""

with DAG(
    dag_id="deadlines",
    dag_display_name="Deadlines: transfers that take too long",
    description="Tells a project's people of transfers that are overdue",
    doc_md=RUNBOOK,
    schedule=load_settings().deadlines or None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(),
    tags=["airlock", "housekeeping"],
) as dag:

    @task
    def tell_overdue() -> dict[str, int]:
        """Tell of transfers that are overdue; return how many there are, and how many notices were sent."""
        from airlock_provider.notifications import tell_overdue

        return tell_overdue()

    tell_overdue()
