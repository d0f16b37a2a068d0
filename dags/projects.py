"""Reads REDCap's list of projects."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock.settings import load_settings
from airlock_provider.defaults import task_defaults

RUNBOOK = """
### Projects that are kept in REDCap

Reads the REDCap project that `AIRLOCK_PROJECTS_CONNECTION` names (one record per project) and writes what it says to
`from-redcap.json` beside the project policies. Nobody edits that file. What a project's YAML file says wins, field by
field; `airlock project show <name>` tells for each field who said it.

* **A project that only REDCap knows** gets the Basic profile and the defaults for all else.
* **Something that cannot be used** (a pattern that is no regular expression) blocks its own project until it is mended.
* **A project that is no longer listed** is blocked too; `airlock project sync --forget` drops it.

How often is `AIRLOCK_PROJECTS_SYNC`, a cron expression such as `*/10 * * * *`. Without it, *Trigger* reads once.
"""

with DAG(
    dag_id="projects",
    dag_display_name="Projects: REDCap's list",
    description="REDCap's list of projects becomes part of the project policies",
    doc_md=RUNBOOK,
    schedule=load_settings().projects_sync or None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(),
    tags=["airlock", "redcap", "projects"],
) as dag:

    @task
    def sync_projects() -> dict[str, int]:
        """Read the list; return how many projects there are, and how many are blocked."""
        from airlock_provider.projects import sync_projects

        return sync_projects()

    sync_projects()
