"""Looks at what arrived in the raw folder."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock.settings import load_settings
from airlock_provider.defaults import task_defaults

RUNBOOK = """
### What nobody has to ask for

* `route_studies` takes the batch folders that are complete (`<AIRLOCK_PROC>/batches`), and writes a request file for
  each study that the routing table (`AIRLOCK_ROUTING`) or the coupling list (`AIRLOCK_COUPLING`) gives to a project.
  What was requested once is not requested again.
* `ask_for_late_series` compares the study of each transfer that was sent with its source. If instances came since,
  the same transfer is done again, with all of them. The raw folder is looked at each time; a PACS is asked
  `AIRLOCK_LATE_MINUTES` after the transfer, then after twice as long each time, and once a day in the end.

How often is `AIRLOCK_ARRIVALS`, a cron expression such as `*/5 * * * *`. Without it, *Trigger* looks once. Studies that
changed, and transfers that ended, within `AIRLOCK_ROUTE_DAYS` are looked at.
"""

with DAG(
    dag_id="arrivals",
    dag_display_name="Arrivals: routing and late series",
    description="Studies that arrived are routed; those that grew are sent again",
    doc_md=RUNBOOK,
    schedule=load_settings().arrivals or None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(),
    tags=["airlock", "intake"],
) as dag:

    @task
    def route_studies() -> dict[str, int]:
        """Request what belongs to a project by itself; return counts."""
        from airlock_provider.arrivals import route_studies

        return route_studies()

    @task
    def ask_for_late_series() -> dict[str, int]:
        """Ask again for what grew after it was sent; return counts."""
        from airlock_provider.arrivals import ask_for_late_series

        return ask_for_late_series()

    # Neither needs the other: both look at the same folder.
    route_studies()
    ask_for_late_series()
