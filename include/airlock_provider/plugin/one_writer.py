"""OneWriter: calls of the API that write take turns, where Airflow keeps its metadata in SQLite.

Airflow's API server writes its audit log in the event loop. If another call holds SQLite's one write lock then, and
needs the event loop to end, both wait until the lock's time is over (a minute), and everything else waits with them.
Other databases lock rows, so that this does not happen there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from airflow.configuration import conf

from airlock_provider.plugin.run_id import Receive, Scope, Send

_READING = {"GET", "HEAD", "OPTIONS"}


class OneWriter:
    """ASGI middleware of the API server."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app
        uses_sqlite = conf.get_mandatory_value("database", "sql_alchemy_conn").startswith("sqlite")
        self._turn = asyncio.Lock() if uses_sqlite else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on; one that may write, when the one before it has ended."""
        if self._turn is None or scope["type"] != "http" or scope["method"] in _READING:
            await self.app(scope, receive, send)
            return
        async with self._turn:
            await self.app(scope, receive, send)
