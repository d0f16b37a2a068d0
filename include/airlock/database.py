"""Connections to Airlock's own databases, and their migrations."""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, create_engine, event, make_url, text

MIGRATIONS = Path(__file__).parent
_upgrading = threading.Lock()


@lru_cache(maxsize=8)
def connect(url: str) -> Engine:
    """Return the engine of a database URL, one per process.

    SQLite is set up for several processes at once: write-ahead log, and 30 s of patience for a lock.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(parsed, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # Take the write lock at the start, so that two transactions wait for each other instead of failing half-way.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


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
