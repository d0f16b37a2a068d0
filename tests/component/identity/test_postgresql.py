"""The identity store on a PostgreSQL server that is made for these tests."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError

from airlock.database import connect, upgrade
from tests.identity_contract import IdentityContract, study
from tests.postgresql import database, debian_path, server  # noqa: F401 - fixtures


@pytest.fixture(scope="module")
def template(server):  # noqa: F811 - the fixture
    """Return the name of a database that has the tables."""
    with database(server, "template") as url:
        upgrade(url, "identity")
        connect(url).dispose()
        yield url.rpartition("/")[2]


class TestPostgresql(IdentityContract):
    @pytest.fixture
    def url(self, server, template):  # noqa: F811 - the fixture
        with database(server, "identity", template) as url:
            yield url

    def test_another_role_reads_nothing(self, url, service):
        service.identify(study(1))
        owner = create_engine(url, isolation_level="AUTOCOMMIT")
        with owner.connect() as connection:
            connection.execute(text("CREATE ROLE reader LOGIN"))
        other = create_engine(url.replace("airlock@", "reader@"))
        try:
            for table in ("patients", "studies", "uids"):
                with other.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
                    connection.execute(text(f"SELECT * FROM {table}"))
        finally:
            other.dispose()
            owner.dispose()
