"""The ledger on SQLite."""

import pytest

from airlock.database import connect
from tests.ledger_contract import LedgerContract


class TestSqlite(LedgerContract):
    @pytest.fixture
    def url(self, tmp_path):
        url = f"sqlite:///{tmp_path / 'made' / 'ledger.db'}"
        yield url
        connect(url).dispose()

    def test_a_reader_and_a_writer_do_not_block_each_other(self, url, ledger):
        with connect(url).connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
