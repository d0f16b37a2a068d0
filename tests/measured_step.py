"""`python -m tests.measured_step FOLDER`: one step that ends well and one that fails, as in a task of Airflow's."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from airlock.errors import PeerUnavailable
from airlock_provider.operators.step import TransferStepOperator, run_step
from tests.transfers import make_transfer


def main(folder: Path) -> None:
    """Do both, with the metrics that Airflow's configuration says."""
    # As Airflow's task runner does before it runs a task.
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
    transfer = make_transfer(folder)
    context = {"ti": SimpleNamespace(try_number=1)}
    works = TransferStepOperator(task_id="screen_instances", step="airlock.screen.step:screen_instances")
    run_step(works, transfer, context, lambda: {"instances": 3})
    fails = TransferStepOperator(task_id="pull_study", step="airlock.retrieve.step:pull_study")

    def down() -> None:
        raise PeerUnavailable("The PACS is down.")

    with suppress(PeerUnavailable):
        run_step(fails, transfer, context, down)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
