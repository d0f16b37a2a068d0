"""Lets several of Airflow's processes share one SQLite file.

A savepoint that is opened outside a transaction begins one that reads first and writes later. If another one commits
in between, SQLite refuses the write at once, whatever the timeout ("database is locked"); creating a backfill does just
that. Here such a transaction takes the write lock when it begins, and waits for it.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class WaitingCursor(sqlite3.Cursor):
    """Cursor whose savepoints begin a transaction that may write."""

    def execute(self, statement: str, parameters: Any = (), /) -> WaitingCursor:
        """Execute one statement."""
        if statement.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        super().execute(statement, parameters)
        return self


class WaitingConnection(sqlite3.Connection):
    """Connection that makes waiting cursors."""

    def cursor(self, factory: Any = WaitingCursor) -> Any:
        """Return a new cursor."""
        return super().cursor(factory)


# Airflow's setting `[database] sql_alchemy_connect_args` names this.
CONNECT_ARGUMENTS: dict[str, Any] = {"factory": WaitingConnection, "timeout": 60}
