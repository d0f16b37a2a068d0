"""Compares the ledger with what each destination holds."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, task

from airlock.settings import load_settings
from airlock_provider.defaults import RESEARCH_POOL, task_defaults

RUNBOOK = """
### Is everything still there?

Once a day each destination is asked (C-FIND, or QIDO-RS) for the studies that the ledger says were sent there, as far
as they were requested in the last `AIRLOCK_RECONCILE_DAYS`. `airlock reconcile` does the same by hand, also for older
ones and for one transfer. The rows are in `AIRLOCK_HOME/reconcile/<destination>/<date>.csv`, by new UIDs.

| Verdict | Means | The task |
| --- | --- | --- |
| `whole`, `gone` | the destination has what was sent, and nothing that was withdrawn | |
| `extra` | it has more than was sent: somebody else stores into the same study | tells it in its log |
| `missing`, `partial` | it lost what it had proven to have | **fails** |
| `not deleted` | a transfer was withdrawn, and nobody deleted what the list named | **fails** |

A destination that does not answer is asked again, as any task is retried. To send what is lost once more, clear the
whole run of its transfer; it begins from the start.
"""

with DAG(
    dag_id="reconcile",
    dag_display_name="Reconcile: the ledger against the research PACS",
    description="Asks every destination whether it has what was sent",
    doc_md=RUNBOOK,
    schedule=load_settings().reconcile or None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=task_defaults(),
    tags=["airlock", "reconcile"],
) as dag:

    @task
    def list_destinations() -> list[dict[str, str]]:
        """Return the destinations of all projects."""
        from airlock_provider.reconcile import destinations

        return destinations()

    @task(pool=RESEARCH_POOL, map_index_template="{{ task.op_kwargs['destination'] }}")
    def compare(destination: str, method: str) -> dict[str, int]:
        """Compare one destination; return its studies by verdict."""
        from airlock_provider.reconcile import reconcile_destination

        return reconcile_destination(destination, method)

    compare.expand_kwargs(list_destinations())
