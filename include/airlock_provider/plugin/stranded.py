"""Listener that frees tasks which wait in a pool that is not there, whatever removed it.

That a run is made at the very moment at which a pool is removed, or that the database is changed by hand, nothing
tells. So it is looked for whenever a run begins or ends, of whatever DAG: some do so every hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl
from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from airlock_provider.pools import GENERAL

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Look when a run begins."""
    _look(object_session(dag_run))


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Look when a run has ended."""
    _look(object_session(dag_run))


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Look when a run has failed."""
    _look(object_session(dag_run))


def _look(session: Session | None) -> None:
    from airflow.models.pool import Pool
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import TaskInstanceState

    from airlock_provider.policies import arrange

    if session is None:
        return
    with session.no_autoflush:
        stranded = session.scalar(
            select(TaskInstance.id)
            .where(TaskInstance.state == TaskInstanceState.SCHEDULED, TaskInstance.dag_id.in_(GENERAL))
            .where(TaskInstance.pool.not_in(select(Pool.pool)))
            .limit(1)
        )
    if stranded is not None:
        arrange(session)
