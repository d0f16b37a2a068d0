"""The installation in which the two weeks happen: Airflow, two PACS, and a REDCap that can be made to fail."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from airlock.identity.keys import KeyRing
from airlock.redcap.sandbox import RedcapSandbox
from airlock.settings import Settings, load_settings
from airlock.transfer import open_ledger
from airlock.workspace import write_atomically
from demo.stack import Say, Stack
from tests.fortnight.scenario import AUTO, CLOSED, CLOSING, FOREVER, NO_PR

ROUTES = [
    {"project": FOREVER, "called": "FNROUTED", "patient_name": "FN-[0-9]{4}"},
    {"project": AUTO, "called": "FNAUTO", "subject": "AUTO"},
]
COUPLING_HEAD = "cl_accessionnumber,cl_studyinstanceuid,cl_projectname,cl_subjectid,cl_eventname,cl_date\n"


class FortnightStack(Stack):
    """The demonstration's installation, but for REDCap, which runs in the driver."""

    def start_redcap(self, say: Say) -> None:
        """Leave REDCap to the driver."""


@dataclass
class World:
    """What the cases happen in.

    :param home: `AIRLOCK_HOME`.
    :param more: further environment variables of Airflow's components.
    :param closed: whether the approval of the project `CLOSING` has ended.
    """

    home: Path
    say: Say
    more: dict[str, str] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    sandbox: RedcapSandbox | None = None
    closed: bool = False

    @property
    def made(self) -> Path:
        """Folder of studies before they are received."""
        return self.home / "made"

    @cached_property
    def stack(self) -> Stack:
        """Everything that runs."""
        settings = {
            "AIRLOCK_STUDY_IDLE_SECONDS": "1",
            "AIRLOCK_STUDY_WAIT_MINUTES": "0.5",
            "AIRLOCK_RETRY_SECONDS": "1",
            "AIRLOCK_SETTLE_SECONDS": "1",
            "AIRLOCK_LATE_MINUTES": "0.1",
            "AIRLOCK_REDCAP_POLL": "* * * * *",
            "AIRLOCK_ARRIVALS": "* * * * *",
            "AIRLOCK_ROUTING": str(self.home / "routing.yaml"),
            "AIRLOCK_COUPLING": str(self.home / "coupling.csv"),
            "AIRLOCK_REWRITER": "process",
            # How many there are an hour counts, not how soon one task follows another.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
            # A killed task is noticed by its missing heartbeat, what a killed scheduler ran by that of the scheduler.
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        }
        return FortnightStack(self.home, {**settings, **self.more}, airflow_port=0)

    @cached_property
    def settings(self) -> Settings:
        """Airlock's settings, the same that Airflow's tasks have."""
        os.environ |= {k: v for k, v in self.stack.airflow.environment.items() if k.startswith("AIRLOCK_")}
        return load_settings()

    @cached_property
    def keys(self) -> KeyRing:
        """The deployment's keys."""
        return KeyRing.load(self.settings.key_path)

    def start(self) -> None:
        """Start everything, and write what an administrator would have written."""
        self.home.mkdir(parents=True, exist_ok=True)
        write_atomically(self.home / "routing.yaml", yaml.safe_dump({"routes": ROUTES}))
        write_atomically(self.home / "coupling.csv", COUPLING_HEAD)
        open_ledger(self.settings)
        self.open_redcap()
        self.stack.start(self.say)
        policy = yaml.safe_load((self.settings.projects / "demo.yaml").read_text())
        self.write_project(policy, FOREVER)
        self.write_project(policy, CLOSED, approval={"start": "2019-01-01", "end": "2020-12-31"})
        self.write_project(policy, CLOSING, approval={"end": "2099-12-31"})
        self.write_project(policy, NO_PR, screen={"remove_presentation_states": True})
        self.write_project(policy, AUTO, identity={"patient": "pattern", "pattern": "AUTO-[0-9]{5}"})

    def write_project(self, policy: dict[str, Any], name: str, **parts: Any) -> None:
        """Write a project's policy."""
        write_atomically(self.settings.projects / f"{name}.yaml", yaml.safe_dump(policy | {"name": name} | parts))

    def close_project(self, name: str) -> None:
        """Let a project's approval have ended."""
        policy = yaml.safe_load((self.settings.projects / f"{name}.yaml").read_text())
        self.write_project(policy, name, approval={"end": "2020-12-31"})

    def stop(self) -> None:
        """End everything."""
        self.stack.stop()
        self.close_redcap()

    # REDCap

    def open_redcap(self) -> None:
        """Start REDCap, with the rows it had."""
        state = self.stack.state
        self.sandbox = RedcapSandbox(state["token"], state["redcap"], state=self.home / "redcap.json").__enter__()

    def close_redcap(self) -> None:
        """End REDCap."""
        if self.sandbox is not None:
            self.sandbox.__exit__(None, None, None)
            self.sandbox = None

    # Airflow

    def restart_scheduler(self, *, kill: bool) -> None:
        """End the scheduler, at once or politely, and start it again."""
        self.stack.services.stop("scheduler", patience=0.0 if kill else 15.0)
        time.sleep(2)
        self.stack.airflow.start_components("scheduler")
        self.stopped["scheduler"] = self.stopped.get("scheduler", 0) + 1

    # What the ledger holds, read without Airlock

    def transfers(self) -> dict[str, tuple[str, int]]:
        """Return state and attempt of every transfer."""
        rows = self.query("SELECT id, state, attempt FROM transfers")
        return {row[0]: (row[1], row[2]) for row in rows}

    def query(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Ask the ledger's database."""
        path = self.home / "ledger.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(statement, arguments).fetchall()
