"""Connections to Airlock's own databases, and their migrations."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, create_engine, event, make_url, text

MIGRATIONS = Path(__file__).parent
_upgrading = threading.Lock()
_TURN = "airlock turn"


@lru_cache(maxsize=8)
def connect(url: str) -> Engine:
    """Return the engine of a database URL, one per process.

    SQLite is set up for several processes at once: write-ahead log, and transactions that wait for each other, first
    come first served. Left to itself, SQLite asks for its lock now and then, and of a hundred that do so, some are
    never lucky.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    turns: _Turns | None = None
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        turns = _Turns(Path(f"{parsed.database}-turn"))
    engine = create_engine(parsed, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        if turns is not None:
            turns.take(connection.connection.record_info)
        # Take the write lock at the start, so that two transactions wait for each other instead of failing half-way.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")  # codespell:ignore
    def returned(_connection: Any, record: Any) -> None:
        if turns is not None:
            turns.leave(record.record_info)

    return engine


class _Turns:
    """Queue of the transactions of all processes that use a database file: the kernel wakes them in order (`flock`).

    A process that dies leaves it. A thread that begins a second transaction within its first is not kept from it:
    SQLite refuses that one in its own time.

    :param path: the lock file, beside the database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads: set[int] = set()

    def take(self, info: dict[Any, Any]) -> None:
        """Wait for the turn of a connection.

        :param info: what SQLAlchemy keeps with the connection.
        """
        thread = threading.get_ident()
        if _TURN in info or thread in self._threads:
            return
        # Where the file cannot be made, the database tells; where it cannot be locked, SQLite's own patience is left.
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except BaseException:
                os.close(descriptor)
                raise
            info[_TURN] = descriptor, thread
            self._threads.add(thread)

    def leave(self, info: dict[Any, Any]) -> None:
        """End the turn of a connection, if it has it."""
        if _TURN in info:
            descriptor, thread = info.pop(_TURN)
            self._threads.discard(thread)
            # A process that was forked meanwhile has the file open too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def upgrade(url: str, room: str, revision: str = "head") -> None:
    """Make or migrate the tables of one store.

    :param room: package below `airlock` that holds a `migrations` folder: `ledger` or `identity`.
    :param revision: how far.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS / room / "migrations"))
    # Alembic would interpolate a % in the URL.
    config.attributes["engine"] = connect(url)
    # Alembic keeps the migration at work in globals, so the threads of a process must take turns.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with _upgrading:
        command.upgrade(config, revision)


def migrate(context: Any, metadata: MetaData, version_table: str) -> None:
    """Body of a store's Alembic environment: migrate in one transaction, one process at a time."""
    with context.config.attributes["engine"].connect() as connection:
        context.configure(
            connection=connection, target_metadata=metadata, version_table=version_table, transactional_ddl=True
        )
        with context.begin_transaction():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('airlock-migrations'))"))
            context.run_migrations()
        connection.commit()
