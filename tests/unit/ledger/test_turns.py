"""Transactions on a database file in SQLite wait for each other, first come first served."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy.exc import OperationalError

from airlock.database import connect


@pytest.fixture
def url(tmp_path):
    url = f"sqlite:///{tmp_path / 'some.db'}"
    with connect(url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE done (who INTEGER)")
    yield url
    connect(url).dispose()


def add(url, who):
    with connect(url).begin() as connection:
        connection.exec_driver_sql("INSERT INTO done VALUES (?)", (who,))


def test_who_comes_first_is_served_first(url):
    threads = [threading.Thread(target=add, args=(url, who)) for who in range(8)]
    with connect(url).begin():
        for thread in threads:
            thread.start()
            time.sleep(0.02)
    for thread in threads:
        thread.join(20)
    with connect(url).begin() as connection:
        assert list(connection.exec_driver_sql("SELECT who FROM done").scalars()) == list(range(8))


def test_a_process_that_is_killed_gives_up_its_turn(url):
    code = (
        "import sys, time; from airlock.database import connect\n"
        "with connect(sys.argv[1]).begin() as c: c.exec_driver_sql('INSERT INTO done VALUES (1)'); "
        "print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in\n"
        waiting = threading.Thread(target=add, args=(url, 2), daemon=True)
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        process.send_signal(signal.SIGKILL)
    waiting.join(20)
    with connect(url).begin() as connection:
        assert list(connection.exec_driver_sql("SELECT who FROM done").scalars()) == [2]


def test_a_transaction_within_a_transaction_fails_and_hangs_nobody(url):
    engine = connect(url)
    with engine.connect() as first, engine.connect() as second:
        second.exec_driver_sql("PRAGMA busy_timeout = 50")
        second.rollback()
        first.begin()
        with pytest.raises(OperationalError, match="locked"):
            second.begin()
    add(url, 3)


def test_whoever_gave_up_does_not_keep_the_turn(url):
    with pytest.raises(ZeroDivisionError), connect(url).begin():
        1 / 0  # noqa: B018 - any error
    add(url, 4)
