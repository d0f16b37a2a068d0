"""Where Airlock's pages appear in the Airflow UI."""

from __future__ import annotations

import sys
from typing import Any

PREFIX = "/airlock"
VIEWS: list[dict[str, Any]] = [
    {
        "name": "Transfers",
        "href": f"{PREFIX}/",
        "destination": "nav",
        "nav_top_level": True,
        "icon": f"{PREFIX}/static/transfers.svg",
        "icon_dark_mode": f"{PREFIX}/static/transfers-dark.svg",
        "url_route": "airlock-transfers",
    }
]


ELSEWHERE = frozenset({"scheduler", "dag-processor", "triggerer", "worker"})


def apps(arguments: list[str] = sys.argv) -> list[dict[str, Any]]:
    """Return the apps of the API server; Airflow's other processes have no use for them, and don't import them."""
    if ELSEWHERE.intersection(arguments):
        return []
    from airlock_provider.pages.app import app

    return [{"app": app, "url_prefix": PREFIX, "name": "Airlock"}]
