"""Airflow's cluster policy: a task that talks to a PACS runs in that PACS's pool, as long as there is one.

Airflow finds this module by the entry point `airflow.policy`, or is given it by Airlock's plugin. It chooses a task's
pool when a run is made and when a task is cleared. A pool may be made or removed afterwards, and a task in a pool that
is not there is never started; so the tasks that are not done are looked through again when that happens.
"""

from __future__ import annotations

import logging
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from airflow import settings
from airflow.policies import hookimpl
from sqlalchemy import Result, event, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import ORMExecuteState, Session, object_session

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

log = logging.getLogger(__name__)

_TABLE = "slot_pool"
_CHANGED = "airlock: pools changed"

# Airflow takes its shortcut around the hook below whenever there is no `airflow_local_settings`, even if a distribution
# brings the hook (airflow/settings.py, import_local_settings).
settings.task_instance_mutation_hook.is_noop = False  # type: ignore[attr-defined]  # an attribute of a function


def register() -> None:
    """Give Airflow this policy, where the package is on its path and not installed."""
    plugins = settings.get_policy_plugin_manager()
    if not plugins.is_registered(sys.modules[__name__]):
        plugins.register(sys.modules[__name__])


@hookimpl
def task_instance_mutation_hook(task_instance: TaskInstance, dag_run: DagRun | None) -> None:
    """Choose the pool of a task that is made or cleared."""
    from airlock_provider.pools import GENERAL, pool_of

    task_id = task_instance.task_id
    session = None if dag_run is None else object_session(dag_run)
    if dag_run is None or session is None or task_id not in GENERAL.get(task_instance.dag_id, {}):
        return
    task_instance.pool = pool_of(task_instance.dag_id, task_id, dag_run.conf, _pools(session))


def _pools(session: Session) -> set[str]:
    from airflow.models.pool import Pool

    with session.no_autoflush:
        return {name for name in session.scalars(select(Pool.pool)) if name}


def arrange(session: Session) -> int:
    """Put the tasks that are not done into the pools they belong to now; return how many were in another.

    :param session: of Airflow's metadata. Nothing is committed, and a failure undoes nothing else.
    """
    from airflow.models.taskinstance import TaskInstance

    connection, moved = session.connection(), 0
    # Not the session's own savepoint: Airflow's scheduler takes its end for a commit, which it forbids.
    with connection.begin_nested():
        for pool, keys in _misplaced(session).items():
            table = TaskInstance.__table__
            connection.execute(table.update().where(table.c.id.in_(keys)).values(pool=pool))
            moved += len(keys)
    if moved:
        log.warning("%d tasks of transfers were put into another pool, because pools were made or removed.", moved)
    return moved


def _misplaced(session: Session) -> dict[str, list[Any]]:
    """Return the tasks that are not done and in another pool than they belong to, by the pool they belong to."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.state import State

    from airlock_provider.pools import GENERAL, pool_of

    found: dict[str, list[Any]] = defaultdict(list)
    with session.no_autoflush:
        pools = _pools(session)
        query = (
            select(TaskInstance.id, TaskInstance.dag_id, TaskInstance.task_id, TaskInstance.pool, DagRun.conf)
            .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
            .where(TaskInstance.dag_id.in_(GENERAL))
            .where(or_(TaskInstance.state.is_(None), TaskInstance.state.in_(State.unfinished - {None})))
        )
        for key, dag_id, task_id, pool, conf in session.execute(query):
            if task_id in GENERAL[dag_id] and (wanted := pool_of(dag_id, task_id, conf, pools)) != pool:
                found[wanted].append(key)
    return found


@event.listens_for(Session, "after_flush")
def _note_pools(session: Session, _context: object) -> None:
    """Note that a pool was made or removed, object by object: the API's *create* and *bulk*, the command line."""
    if any(getattr(type(one), "__tablename__", "") == _TABLE for one in (*session.new, *session.deleted)):
        session.info[_CHANGED] = True


@event.listens_for(Session, "after_flush_postexec")
def _arrange_after_flush(session: Session, _context: object) -> None:
    if session.info.pop(_CHANGED, False):
        _arrange_or_tell(session)


@event.listens_for(Session, "do_orm_execute")
def _arrange_after_delete(state: ORMExecuteState) -> Result[Any] | None:
    """Arrange the tasks when pools were removed by one statement, as the API's *delete* does."""
    if not state.is_delete or state.bind_mapper is None or state.bind_mapper.local_table.description != _TABLE:
        return None
    result = state.invoke_statement()
    _arrange_or_tell(state.session)
    return result


def _arrange_or_tell(session: Session) -> None:
    """Arrange the tasks; that this fails is no reason for the administrator's change to fail."""
    try:
        arrange(session)
    except SQLAlchemyError as error:
        log.warning("The tasks of transfers stay in their pools (%s); they are looked at again.", type(error).__name__)
