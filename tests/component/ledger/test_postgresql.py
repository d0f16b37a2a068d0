"""The ledger on a PostgreSQL server that is made for these tests."""

import pytest

from tests.ledger_contract import LedgerContract
from tests.postgresql import database, debian_path, server  # noqa: F401 - fixtures


class TestPostgresql(LedgerContract):
    @pytest.fixture
    def url(self, server):  # noqa: F811 - the fixture
        with database(server, "ledger") as url:
            yield url
