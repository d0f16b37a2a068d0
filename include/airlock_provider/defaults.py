"""What every task of Airlock's DAGs has in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airlock.settings import load_settings
from airlock_provider.retries import AirlockRetryPolicy

STAGING_POOL = "staging_pacs"
RESEARCH_POOL = "research_pacs"
COMPUTE_POOL = "compute"


def task_defaults() -> dict[str, Any]:
    """Return the `default_args` of a DAG."""
    return {
        # The doors and REDCap's statuses go before the transfers: they are quick, and somebody waits for them.
        "priority_weight": 20,
        "owner": "research-it",
        "retries": load_settings().retries,
        # For a task that was killed and left no exception that the policy could judge.
        "retry_delay": timedelta(seconds=load_settings().retry_seconds),
        "retry_policy": AirlockRetryPolicy(),
    }


def chain_defaults() -> dict[str, Any]:
    """Return the `default_args` of the transfers.

    What is nearer to its end goes first, so that transfers end one after the other, and free their disk space, instead
    of all at last. Their counts are in their logs and in the ledger: as XComs, which nothing reads, they would be a
    sixth of all that is asked of the API server.
    """
    return {**task_defaults(), "priority_weight": 1, "weight_rule": "upstream", "do_xcom_push": False}
