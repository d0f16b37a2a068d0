"""What the projects DAG does: REDCap's list of projects, read with an Airflow connection."""

from __future__ import annotations

import logging

from airlock.quiet import guarded
from airlock.settings import load_settings

log = logging.getLogger(__name__)


def sync_projects() -> dict[str, int]:
    """Write REDCap's list beside the policies; return the numbers of projects, and of those that are blocked."""
    from airlock.redcap.projects import sync_projects
    from airlock_provider.hooks.redcap import RedcapHook

    settings = load_settings()
    with guarded():
        if settings.projects_connection is None:
            log.warning("AIRLOCK_PROJECTS_CONNECTION names no connection: there is no list of projects to read.")
            return {"projects": 0, "blocked": 0}
        client = RedcapHook(settings.projects_connection).client
        registry = sync_projects(client, settings.projects, settings.redcap_connection)
        for name, registered in registry.projects.items():
            for problem in registered.problems.values():
                log.error("The project %s receives nothing: %s.", name, problem)
        return {
            "projects": len(registry.projects),
            "blocked": sum(bool(registered.problems) for registered in registry.projects.values()),
        }
