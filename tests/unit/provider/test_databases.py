"""The databases are prepared once, in the process that tasks are forked from."""

from __future__ import annotations

import logging

import pytest

from airlock import transfer as transfers
from airlock.database import connect
from airlock.identity import store
from airlock.identity.keys import KeyRing
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.settings import load_settings
from airlock_provider.plugin.databases import prepare_databases


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRLOCK_HOME", str(tmp_path))
    load_settings.cache_clear()
    yield load_settings
    load_settings.cache_clear()


def test_what_is_forked_afterwards_migrates_nothing_and_has_no_connection(settings, monkeypatch):
    prepare_databases()

    def again(*_arguments: object) -> None:
        pytest.fail("migrated again")

    monkeypatch.setattr(transfers, "upgrade", again)
    monkeypatch.setattr(store, "upgrade", again)
    for url in (settings().ledger, settings().identity):
        assert connect(url).pool.status().startswith("Pool size: 5  Connections in pool: 0")
    assert transfers.open_ledger(settings()).find("transfer-nobody") is None
    assert store.open_store(settings(), KeyRing.load(settings().key_path)).counts() == {}


def test_what_a_task_asks_of_the_ledger_is_compiled_before(settings, caplog):
    prepare_databases()
    ledger = transfers.open_ledger(settings())
    assert ledger.transfers() == []
    caplog.clear()
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        # SQLAlchemy looks at its level when a connection is made.
        connect(settings().ledger).dispose()
        ledger.register("transfer-1")
        ledger.claim("transfer-1", "transfer-1")
        ledger.record("transfer-1", [InstanceUpdate("i-1", state=InstanceState.READY)])
        ledger.event("transfer-1", "pull_study", "started", attempt=1)
        assert ledger.find("transfer-1").counts.received == 1
    said = [record.getMessage() for record in caplog.records]
    assert sum("[cached since" in text for text in said) > 10
    assert not [text for text in said if "[generated" in text]


def test_a_database_that_cannot_be_used_is_left_to_the_tasks(settings, monkeypatch, caplog):
    monkeypatch.setenv("AIRLOCK_LEDGER_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    with caplog.at_level(logging.WARNING):
        prepare_databases()
    assert "each task tries again" in caplog.text
    assert "nobody" not in caplog.text
