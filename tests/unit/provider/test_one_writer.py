"""On SQLite, calls of the API that write take turns."""

from __future__ import annotations

import asyncio

import pytest

from airlock_provider.plugin import one_writer
from airlock_provider.plugin.one_writer import OneWriter


def most_at_once(monkeypatch, url: str, method: str) -> int:
    """Return how many of five calls at once were at work at the same time."""
    monkeypatch.setattr(one_writer.conf, "get_mandatory_value", lambda *_: url)
    running, most = 0, 0

    async def app(*_: object) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    async def calls() -> None:
        middleware = OneWriter(app)
        await asyncio.gather(*(middleware({"type": "http", "method": method}, None, None) for _ in range(5)))

    asyncio.run(calls())
    return most


@pytest.mark.parametrize(
    ("url", "method", "most"),
    [
        ("sqlite:////a.db", "POST", 1),
        ("sqlite:////a.db", "PATCH", 1),
        ("sqlite:////a.db", "GET", 5),
        ("postgresql+psycopg2://a", "POST", 5),
    ],
)
def test_those_that_write_take_turns(monkeypatch, url, method, most):
    assert most_at_once(monkeypatch, url, method) == most


def test_one_that_fails_lets_the_next_one_go(monkeypatch):
    monkeypatch.setattr(one_writer.conf, "get_mandatory_value", lambda *_: "sqlite:////a.db")
    calls: list[str] = []

    async def app(scope: dict[str, str], *_: object) -> None:
        calls.append(scope["path"])
        if scope["path"] == "/1":
            raise RuntimeError

    async def both() -> None:
        middleware = OneWriter(app)
        with pytest.raises(RuntimeError):
            await middleware({"type": "http", "method": "POST", "path": "/1"}, None, None)
        await middleware({"type": "http", "method": "POST", "path": "/2"}, None, None)

    asyncio.run(both())
    assert calls == ["/1", "/2"]
