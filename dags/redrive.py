"""Starts again the transfers whose requests arrived in an interval; periodic, so that it can be backfilled."""

from __future__ import annotations

from datetime import datetime

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task

from airlock_provider.defaults import task_defaults
from airlock_provider.operators.start import StartTransfersOperator

RUNBOOK = """
### "That week again"

Each run takes the requests that **arrived** in its data interval (one hour) and starts their transfers:

* `missing` (default): only those that have no run, for example because the intake was stopped in between.
* `redo`: every one, from the start; what is at the research PACS already is overwritten with the same instances.

For a longer interval, backfill it: *Trigger → Backfill* in the UI, or
`airflow backfill create --dag-id redrive --from-date 2026-11-01 --to-date 2026-11-08 --dag-run-conf '{"mode": "redo"}'`
"""

with DAG(
    dag_id="redrive",
    dag_display_name="Redrive: an interval again",
    description="Starts again the requests that arrived in the data interval",
    doc_md=RUNBOOK,
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={
        "mode": Param(
            "missing",
            type="string",
            enum=["missing", "redo"],
            title="Which",
            description="missing: requests without a run; redo: all, from the start.",
        )
    },
    default_args=task_defaults(),
    tags=["airlock", "redrive"],
) as dag:

    @task
    def list_requests(
        data_interval_start: datetime | None = None,
        data_interval_end: datetime | None = None,
        params: dict[str, str] | None = None,
    ) -> list[dict[str, object]]:
        """Return the runs to start, oldest request first."""
        from airlock_provider.intake import requests_to_redrive

        assert data_interval_start is not None
        assert data_interval_end is not None
        assert params is not None
        return requests_to_redrive(data_interval_start, data_interval_end, params["mode"])

    StartTransfersOperator(task_id="start_transfers", starts=list_requests())
