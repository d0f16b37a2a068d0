"""What becomes of errors that nobody raised on purpose."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from sqlalchemy import text

from airlock.database import connect
from airlock.errors import DiskFull, UnexpectedFailure
from airlock.quiet import guarded


def test_a_full_disk_is_told_as_one():
    with pytest.raises(DiskFull, match="Make room"), guarded():
        raise OSError(errno.ENOSPC, "No space left on device", "/data/DOE^JANE.dcm")


def test_a_database_on_a_full_disk_is_told_as_one(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'small.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    with engine.begin() as connection:
        connection.execute(text("PRAGMA max_page_count = 2"))
        with pytest.raises(DiskFull) as raised, guarded():
            connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": "DOE^JANE" * 10_000})
    assert "DOE" not in str(raised.value)
    engine.dispose()


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "x", "/data/DOE^JANE.dcm"), sqlite3.OperationalError("DOE")])
def test_any_other_is_named_by_its_kind(error):
    with pytest.raises(UnexpectedFailure) as raised, guarded():
        raise error
    assert "DOE" not in str(raised.value)
