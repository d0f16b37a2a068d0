"""Registers what Airlock adds to Airflow. Nothing else belongs here."""

import sys

from airflow.plugins_manager import AirflowPlugin

from airlock_provider import policies
from airlock_provider.plugin import pages, preload, run_note, stranded
from airlock_provider.plugin.one_writer import OneWriter
from airlock_provider.plugin.run_id import DerivedRunId

preload.preload(*sys.argv)
policies.register()


class AirlockPlugin(AirflowPlugin):
    """Run ids derived from requests, outcomes as run notes, no task stranded in a pool, and the page of transfers."""

    name = "airlock"
    fastapi_root_middlewares = [
        {"middleware": DerivedRunId, "name": "Airlock: run ids derived from requests"},
        {"middleware": OneWriter, "name": "Airlock: one writer at a time where SQLite is used"},
    ]
    fastapi_apps = pages.apps()
    external_views = pages.VIEWS
    listeners = [run_note, stranded]
