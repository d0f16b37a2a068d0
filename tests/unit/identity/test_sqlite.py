"""The identity store in a SQLite file."""

import stat

import pytest

from airlock.errors import PolicyError
from airlock.identity.store import open_store
from airlock.settings import Settings
from tests.identity_contract import KEYS, IdentityContract


class TestSqlite(IdentityContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path / 'identity.db'}"


def test_the_file_is_its_owners_alone(tmp_path):
    settings = Settings(home=tmp_path)
    store = open_store(settings, KEYS)
    assert store.counts() == {}
    files = list((tmp_path / "identity").iterdir())
    assert {path.name for path in files} >= {"identity.db"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "identity.db"
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(PolicyError, match="chmod 600"):
        open_store(Settings(home=tmp_path, identity_url=f"sqlite:///{path}"), KEYS)


@pytest.mark.parametrize("url", ["sqlite://", "mysql://db/x", "nonsense"])
def test_other_databases_are_refused(tmp_path, url):
    with pytest.raises(PolicyError, match="AIRLOCK_IDENTITY_URL"):
        open_store(Settings(home=tmp_path, identity_url=url), KEYS)
