"""Listener that writes a transfer's outcome, in one line, into the note of its run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from airlock.report.ending import outcome_line
from airlock.settings import load_settings
from airlock.transfer import open_ledger
from airlock_provider.context import transfer_id_of

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)


def _note(dag_run: DagRun) -> None:
    if dag_run.dag_id != "transfer":
        return
    settings = load_settings()
    summary = open_ledger(settings).find(transfer_id_of(dag_run.conf or {}, settings))
    if summary is not None and summary.run_id == dag_run.run_id:
        dag_run.note = outcome_line(summary)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Note how the transfer ended."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Note why the transfer failed."""
    _note(dag_run)
