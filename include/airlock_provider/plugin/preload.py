"""Imports once what every task needs, in the process that tasks are forked from.

LocalExecutor forks its tasks from the scheduler's children, so what the scheduler has imported costs a task nothing.
Nor do the settings it has read, the migrations of the ledger and of the identity store it has seen to, and the networks
that find text. Left out is what must not be forked: a connection has one owner.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import cache
from importlib import import_module

from airlock.errors import AirlockError, DetectorUnavailable

log = logging.getLogger(__name__)

FORKING_COMMANDS = {"scheduler", "worker"}
MODULES = (
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.docker.operators.docker",
    "airflow.providers.standard.operators.empty",
    "airflow.sdk.bases.sensor",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.definitions.decorators",
    "airflow.version",
    "airlock.deid.step",
    "airlock.deliver.step",
    "airlock.intake.batch",
    "airlock.intake.route",
    "airlock.pixels.decode",
    "airlock.pixels.inspection",
    "airlock.pixels.location_ctp",
    "airlock.pixels.step",
    "airlock.redcap.outbox",
    "airlock.redcap.step",
    "airlock.retrieve.step",
    "airlock.review.step",
    "airlock.screen.step",
    "airlock.verify.step",
    "airlock_provider.ahead",
    "airlock_provider.defaults",
    "airlock_provider.form",
    "airlock_provider.hooks.dicom",
    "airlock_provider.hooks.dicomweb",
    "airlock_provider.hooks.redcap",
    "airlock_provider.intake",
    "airlock_provider.notifications",
    "airlock_provider.operators.deliver",
    "airlock_provider.operators.request",
    "airlock_provider.operators.retrieve",
    "airlock_provider.operators.review",
    "airlock_provider.operators.rewrite",
    "airlock_provider.operators.start",
    "airlock_provider.sensors",
    "airlock_provider.triggers",
    "jinja2.ext",
    "numpy.ma",
)


@cache
def preload(*arguments: str) -> bool:
    """Import the steps if this process forks tasks; return whether it does.

    Airflow loads its plugins anew in every task. What has been done before the fork is not done again.

    :param arguments: the command line.
    """
    if not FORKING_COMMANDS.intersection(arguments):
        return False
    for module in MODULES:
        import_module(module)
    import_module("airlock_provider.plugin.databases").prepare_databases()
    from airlock.project import load_policies
    from airlock.settings import load_settings

    with suppress(AirlockError):
        # Whoever needs a policy that is not valid says so.
        load_policies(load_settings().projects)
    _load_detector()
    log.info("Imported the steps of a transfer for the tasks to come")
    return True


def _load_detector() -> None:
    from airlock.pixels.engine import load_before_forks

    try:
        if not load_before_forks():
            log.warning("The text detector has threads: each task that needs it loads it anew.")
    except DetectorUnavailable as error:
        # Every task that needs it says so too, and holds its transfer.
        log.error("%s", error)
