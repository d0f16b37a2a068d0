"""Settings come from AIRLOCK_* alone, typed, or not at all."""

from pathlib import Path

import pytest

from airlock.errors import PolicyError
from airlock.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"AIRLOCK_{name.upper()}", raising=False)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_everything_lies_below_home(monkeypatch):
    monkeypatch.setenv("AIRLOCK_HOME", "/data")
    settings = load_settings()
    assert settings.drop_folder == Path("/data/proc/transfer_requests")
    assert settings.raw_folder == Path("/data/data/site/raw")
    assert settings.transfers_folder == Path("/data/transfers")
    assert settings.key_path == Path("/data/secret/airlock.key")
    assert settings.ledger == "sqlite:////data/ledger.db"
    assert settings.rewriter == "docker"


def test_each_place_can_be_elsewhere(monkeypatch):
    for name, value in {
        "PROC": "/proc-folder",
        "RAW": "/raw",
        "KEY_FILE": "/run/key",
        "LEDGER_URL": "postgresql://db/ledger",
        "REWRITER": "auto",
        "WORKERS": "3",
    }.items():
        monkeypatch.setenv(f"AIRLOCK_{name}", value)
    settings = load_settings()
    assert settings.drop_folder == Path("/proc-folder/transfer_requests")
    assert settings.raw_folder == Path("/raw")
    assert settings.key_path == Path("/run/key")
    assert settings.ledger == "postgresql://db/ledger"
    assert (settings.rewriter, settings.workers) == ("auto", 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKERS", "0"), ("WORKERS", "many"), ("REWRITER", "maybe"), ("SETTLE_SECONDS", "-1")],
)
def test_a_value_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"AIRLOCK_{name}", value)
    with pytest.raises(PolicyError, match=f"AIRLOCK_{name}"):
        load_settings()


def test_a_secret_is_not_repeated(monkeypatch):
    monkeypatch.setenv("AIRLOCK_KEY_FILE", "/run/key")
    monkeypatch.setenv("AIRLOCK_WORKERS", "hunter2")
    with pytest.raises(PolicyError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
