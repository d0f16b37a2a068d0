"""A whole Airflow on the loopback interface: SQLite, LocalExecutor, one of each component."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import requests

from airlock.workspace import write_atomically
from demo.services import Services, free_port

# Without their log servers, which listen on every interface: on one machine the UI reads the log files themselves.
COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
POOLS = {"staging_pacs": 2, "research_pacs": 2, "compute": 2}
USER = "admin"


class AirflowNotReady(Exception):
    """A component did not come up; the message ends with the last lines of its log."""


@dataclass
class Airflow:
    """One installation.

    :param root: the repository: `dags` and `plugins` are taken from there.
    :param home: `AIRLOCK_HOME`; Airflow's own files are below `airflow`.
    :param settings: more environment variables for every component.
    :param port: of the UI and API; another is taken when it is in use.
    """

    root: Path
    home: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 8080

    @cached_property
    def services(self) -> Services:
        """The components' processes."""
        return Services(self.home)

    @cached_property
    def state(self) -> dict[str, Any]:
        """Secrets and the port, made once and kept in a file of mode 0600."""
        path = self.home / "secret" / "airflow.json"
        if path.exists():
            return dict(json.loads(path.read_text()))
        state = {
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "secret_key": secrets.token_hex(32),
            "jwt_secret": secrets.token_hex(64),
            "password": secrets.token_urlsafe(12),
            "port": free_port(self.port),
        }
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, json.dumps(state, indent=1))
        return state

    @property
    def url(self) -> str:
        """Address of the UI."""
        return f"http://127.0.0.1:{self.state['port']}"

    @cached_property
    def environment(self) -> dict[str, str]:
        """Environment of every component."""
        state, folder = self.state, self.home / "airflow"
        port = state["port"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(self.root),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "AIRLOCK_HOME": str(self.home),
            "AIRLOCK_PROJECTS": str(self.root / "config" / "projects"),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.root / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.root / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__FERNET_KEY": state["fernet_key"],
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": state["secret_key"],
            "AIRFLOW__API__EXPOSE_CONFIG": "False",
            "AIRFLOW__API_AUTH__JWT_SECRET": state["jwt_secret"],
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}?timeout=60",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "demo.sqlite.CONNECT_ARGUMENTS",
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "pynetdicom=CRITICAL pydicom=CRITICAL",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            # A loop that looks at many runs ends with something to do, and the next one begins at once: with 20, which
            # is usual, looking at what has not changed takes half as much again.
            "AIRFLOW__SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "4",
            # When what a killed scheduler worked on is noticed, in seconds. Airflow's own is five minutes.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            # How late a supervisor may notice that its task has ended, in seconds.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
            # The DAG files don't change while this runs; parsing them each half a minute costs a quarter of a core.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **self.settings,
        }

    def run(self, *arguments: str) -> str:
        """Run `airflow ...` and return what it prints.

        :raises AirflowNotReady: when it fails.
        """
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AirflowNotReady(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    def start(self, connections: dict[str, dict[str, Any]]) -> None:
        """Start every component that doesn't run yet.

        :param connections: Airflow connections by id, made or replaced.
        """
        folder = self.home / "airflow"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        password_file = folder / "simple_auth_manager_passwords.json.generated"
        # Airflow adds the passwords of other users that the settings name.
        others = json.loads(password_file.read_text()) if password_file.exists() else {}
        write_atomically(password_file, json.dumps({**others, USER: self.state["password"]}))
        if not (folder / "airflow.db").exists():
            self.run("db", "migrate")
            # Readers and the one writer no longer wait for each other; the file keeps this setting.
            with closing(sqlite3.connect(folder / "airflow.db")) as database:
                database.execute("PRAGMA journal_mode=WAL")
        # Pools and connections first, while nobody else writes to the database, and before a task needs them.
        self.start_components("api-server")
        self._wait_for("api-server", lambda: [] if self._get_health() else ["api-server"])
        self._configure(connections)
        self.start_components(*COMPONENTS)
        self._wait_for("Airflow", self._unhealthy)

    def start_components(self, *names: str) -> None:
        """Start components that don't run."""
        for name in names:
            command = [sys.executable, "-m", "airflow", *COMPONENTS[name]]
            self.services.start(name, command, self.environment, cwd=self.root)

    def stop(self) -> list[str]:
        """End every component and all its children."""
        return self.services.stop(*COMPONENTS)

    def _wait_for(self, what: str, missing: Callable[[], list[str]], seconds: float = 180.0) -> None:
        """Wait until nothing is missing any more."""
        end = monotonic() + seconds
        while waiting := missing():
            dead = [name for name in self.services.names() if name in COMPONENTS and self.services.pid(name) is None]
            if dead:
                raise AirflowNotReady(f"airflow {dead[0]} ended:\n{self.services.log_tail(dead[0])}")
            if monotonic() > end:
                raise AirflowNotReady(
                    f"{what} is not up after {seconds:.0f} s: {', '.join(waiting)}. Logs: {self.home / 'log'}"
                )
            sleep(0.3)

    def _get_health(self) -> dict[str, dict[str, str]]:
        try:
            answer = requests.get(f"{self.url}/api/v2/monitor/health", timeout=10)
            return dict(answer.json()) if answer.ok else {}
        except (requests.RequestException, ValueError):
            return {}

    def _unhealthy(self) -> list[str]:
        health = self._get_health()
        names = ("scheduler", "triggerer", "dag_processor")
        return [name for name in names if health.get(name, {}).get("status") != "healthy"]

    def _configure(self, connections: dict[str, dict[str, Any]]) -> None:
        for pool, slots in POOLS.items():
            body = {"name": pool, "slots": slots, "include_deferred": False}
            self._put("pools", pool, body)
        for connection_id, fields in connections.items():
            extra = fields.get("extra")
            body = {**fields, "connection_id": connection_id}
            if isinstance(extra, dict):
                body["extra"] = json.dumps(extra)
            self._put("connections", connection_id, body)

    def _put(self, kind: str, name: str, body: dict[str, Any]) -> None:
        for last in (False, True):
            try:
                answer = self.api("POST", kind, json=body, check=False)
                if answer.status_code == 409:
                    answer = self.api("PATCH", f"{kind}/{name}", json=body, check=False)
                answer.raise_for_status()
            except requests.Timeout:
                # SQLite has one writer at a time, and a busy machine makes the scheduler a slow one.
                if last:
                    raise
            else:
                return

    # REST

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        body = {"username": USER, "password": self.state["password"]}
        answer = session.post(f"{self.url}/auth/token", json=body, timeout=30)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return session

    def api(self, method: str, path: str, *, check: bool = True, **arguments: Any) -> requests.Response:
        """Call the stable REST API; `path` is below `/api/v2`."""
        return self.page(method, f"api/v2/{path}", check=check, **arguments)

    def page(self, method: str, path: str, *, check: bool = True, **arguments: Any) -> requests.Response:
        """Call anything that the API server serves, as its user."""
        answer = self._session.request(method, f"{self.url}/{path}", timeout=60, **arguments)
        if check:
            answer.raise_for_status()
        return answer

    def wait_for_dags(self, *dag_ids: str, seconds: float = 120.0) -> None:
        """Wait until DAGs are known to the scheduler.

        :raises AirflowNotReady: with the import errors, if there are any.
        """
        end = monotonic() + seconds
        while monotonic() < end:
            if all(self.api("GET", f"dags/{dag_id}", check=False).ok for dag_id in dag_ids):
                return
            errors = self.api("GET", "importErrors").json()["import_errors"]
            if errors:
                raise AirflowNotReady("\n".join(error["stack_trace"] for error in errors))
            sleep(0.5)
        raise AirflowNotReady(f"The DAGs {', '.join(dag_ids)} did not appear. Log: {self.home / 'log'}")

    def run_of(self, run_id: str, dag_id: str = "transfer") -> dict[str, Any] | None:
        """Return a DAG run, or None."""
        answer = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}", check=False)
        return dict(answer.json()) if answer.ok else None

    def tasks_of(self, run_id: str, dag_id: str = "transfer") -> dict[str, dict[str, Any]]:
        """Return the task instances of a run by task id."""
        answer = self.api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return {task["task_id"]: task for task in answer.json()["task_instances"]}

    def clear(self, run_id: str, *task_ids: str, dag_id: str = "transfer") -> None:
        """Clear tasks and what comes after them, as the UI's *Clear* does."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "include_downstream": True,
        }
        self.api("POST", f"dags/{dag_id}/clearTaskInstances", json=body)
