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
        "owner": "research-it",
        "retries": load_settings().retries,
        # For a task that was killed and left no exception that the policy could judge.
        "retry_delay": timedelta(seconds=load_settings().retry_seconds),
        "retry_policy": AirlockRetryPolicy(),
    }
