"""Which of Airflow's pools a task is in: that of the PACS it talks to, where an administrator made one."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from airlock.project import ProjectPolicy, load_policies
from airlock.registry import FILE_NAME
from airlock.request.store import RequestStore
from airlock.settings import Settings, load_settings
from airlock_provider.context import request_from_form, source_connection
from airlock_provider.defaults import COMPUTE_POOL, RESEARCH_POOL, STAGING_POOL

log = logging.getLogger(__name__)

PREFIX = "pacs_"
"""A pool of this name with the id of an Airflow connection after it is that PACS's own."""
GENERAL = {
    "transfer": {
        "pull_study": STAGING_POOL,
        "detect_burned_in_text": COMPUTE_POOL,
        "rewrite_pixels": COMPUTE_POOL,
        "deidentify": COMPUTE_POOL,
        "verify_output": COMPUTE_POOL,
        "send_to_research": RESEARCH_POOL,
        "confirm_receipt": RESEARCH_POOL,
    },
    "reconcile": {"compare": RESEARCH_POOL},
}
"""The pools of the tasks that have one, by DAG: what the DAG files say."""
LAST = "default_pool"
"""The pool that Airflow always has."""
_PULL, _SEND = "pull_study", ("send_to_research", "confirm_receipt")


def pool_of(dag_id: str, task_id: str, conf: Mapping[str, Any] | None, pools: Collection[str]) -> str:
    """Return the pool of a task, for a run with this configuration: one that there is.

    Of several destinations, the first in the project's policy that has a pool is the one that counts. Never raises:
    Airflow's scheduler and API server call this. What cannot be found out is told, and leads to the general pool; where
    nobody made that one, to the pool that Airflow always has.

    :param pools: those that there are.
    """
    general = GENERAL[dag_id][task_id]
    connections: list[str] = []
    if task_id in (_PULL, *_SEND) and any(pool.startswith(PREFIX) for pool in pools):
        try:
            connections = _connections(task_id, dict(conf or {}), load_settings())
        except Exception as error:  # noqa: BLE001 - Airflow must go on; and the text may quote a request
            log.warning("%s stays in the pool %s: %s", task_id, general, type(error).__name__)
    for pool in (*map(PREFIX.__add__, connections), general):
        if pool in pools:
            return pool
    log.warning("There is no pool %s: %s is in %s. Make the pool under Admin, Pools.", general, task_id, LAST)
    return LAST


def _connections(task_id: str, conf: dict[str, Any], settings: Settings) -> list[str]:
    """Return the ids of the connections a task uses; none for the raw folder."""
    if conf.get("transfer_id"):
        request = RequestStore(settings.proc_folder).get(str(conf["transfer_id"])).request
    else:
        request = request_from_form(conf)
    policy = _policies(settings.projects).get(request.transfer_project_name)
    if policy is None:
        return []
    if task_id != _PULL:
        return [target.connection for target in policy.targets]
    source = source_connection(request, policy)
    return [source] if source else []


_kept: dict[Path, tuple[object, dict[str, ProjectPolicy]]] = {}


def _policies(folder: Path) -> dict[str, ProjectPolicy]:
    """Return the projects' policies, read again only when a file has changed: this runs in Airflow's scheduler."""
    files = [*sorted(folder.glob("*.yaml")), folder / FILE_NAME]
    state = [(file.name, stat.st_mtime_ns, stat.st_size) for file in files if file.exists() for stat in [file.stat()]]
    if folder not in _kept or _kept[folder][0] != state:
        _kept[folder] = (state, load_policies(folder))
    return _kept[folder][1]
