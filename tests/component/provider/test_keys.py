"""The deployment key in an Airflow connection: tasks use it, and no other key takes its place."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airlock.errors import PolicyError
from airlock.identity import keys
from airlock.identity.keys import KeyRing
from airlock.identity.store import open_store
from airlock.settings import Settings, load_settings
from airlock.transfer import Transfer
from airlock_provider.keys import install
from airlock_provider.operators.step import TransferStepOperator
from tests.commands import airlock
from tests.transfers import make_transfer

KEY, OTHER = "5a" * 32, "c3" * 32


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is provided yet, as in a new process."""
    monkeypatch.setattr(keys, "_provided", [])
    monkeypatch.setattr(keys, "_readers", [])
    install()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Any:
    def connection(password: str | None) -> None:
        monkeypatch.setenv("AIRLOCK_KEY_CONNECTION", "airlock_key")
        fields = {"conn_type": "generic", "password": password}
        monkeypatch.setenv("AIRFLOW_CONN_AIRLOCK_KEY", json.dumps(fields))

    return connection


def fingerprint(transfer: Transfer) -> str:
    """Do as a step does that needs the key."""
    open_store(transfer.settings, transfer.keys)
    return transfer.keys.fingerprints[0]


def execute(transfer: Transfer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a step as a task of Airflow does, and return what it saw of the key."""
    seen: list[str] = []
    monkeypatch.setattr("airlock.transfer.a_step", lambda opened: seen.append(fingerprint(opened)), raising=False)
    for name in ("HOME", "PROJECTS", "RAW"):
        monkeypatch.setenv(f"AIRLOCK_{name}", str(getattr(transfer.settings, name.lower())))
    load_settings.cache_clear()
    operator = TransferStepOperator(task_id="a_step", step="airlock.transfer:a_step")
    context = {
        "params": {},
        "dag_run": SimpleNamespace(conf={"transfer_id": transfer.id}),
        "ti": SimpleNamespace(try_number=1),
    }
    operator.execute(context)  # type: ignore[arg-type]  # as much of one as is asked for
    return seen


def test_a_task_uses_the_key_of_the_connection(
    tmp_path: Path, connection: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection(KEY)
    transfer = make_transfer(tmp_path)
    assert execute(transfer, monkeypatch) == [KeyRing(bytes.fromhex(KEY)).fingerprints[0]]
    assert not transfer.settings.key_path.exists()
    assert KEY not in caplog.text


def test_a_key_that_is_not_the_stores_is_refused(
    tmp_path: Path, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(KEY)
    transfer = make_transfer(tmp_path)
    execute(transfer, monkeypatch)
    connection(OTHER)
    monkeypatch.setattr(keys, "_provided", [])
    with pytest.raises(PolicyError, match="identity store") as refused:
        open_store(transfer.settings, KeyRing.load(transfer.settings.key_path))
    assert OTHER not in str(refused.value)


def test_a_file_with_another_key_is_refused(tmp_path: Path, connection: Any) -> None:
    path = tmp_path / "airlock.key"
    path.write_text(OTHER)
    path.chmod(0o600)
    connection(KEY)
    with pytest.raises(PolicyError, match="'airlock_key' and the key file"):
        KeyRing.load(path)


@pytest.mark.parametrize(("password", "said"), [(None, "has no password"), ("secret", "64 hexadecimal digits")])
def test_a_connection_without_a_key_makes_no_other(
    tmp_path: Path, connection: Any, password: str | None, said: str
) -> None:
    connection(password)
    with pytest.raises(PolicyError, match=said):
        KeyRing.load(tmp_path / "airlock.key")
    assert not (tmp_path / "airlock.key").exists()


def test_a_missing_connection_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOCK_KEY_CONNECTION", "nowhere")
    with pytest.raises(PolicyError, match="AIRLOCK_KEY_CONNECTION names"):
        KeyRing.load(tmp_path / "airlock.key")


def test_a_command_without_airflow_makes_no_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_readers", [])
    (tmp_path / "in").mkdir()
    ended = airlock(
        "deidentify", tmp_path / "in", tmp_path / "out", "--project", "X",
        AIRLOCK_HOME=str(tmp_path), AIRLOCK_KEY_CONNECTION="airlock_key",
    )  # fmt: skip
    assert ended.status == 2
    assert "Give this command the key in AIRLOCK_KEY" in ended.stderr
    assert not Settings(home=tmp_path).key_path.exists()
