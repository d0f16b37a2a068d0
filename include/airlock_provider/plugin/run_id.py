"""DerivedRunId: a run that is started by form or REST is named after its request, like one from a request file.

Airflow lets nothing of a DAG choose the id of a run that is started by hand, so it is filled in before the API sees
the call. The unique constraint on run ids then makes a second identical request a conflict (409).
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airlock.errors import InvalidRequest
from airlock.settings import load_settings
from airlock_provider.context import transfer_id_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRIGGER_PATH = re.compile(r"/api/v2/dags/transfer/dagRuns/?$")
MAX_BODY_BYTES = 1 << 20
CONFLICT = (
    "This transfer was requested before, and a request has one run. `airlock status` and the page of transfers show "
    "what became of it; to do it again, clear its run, or use *Do it again* on the page."
)


class DerivedRunId:
    """ASGI middleware of the API server."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a call that starts a transfer its run id; pass every other call on untouched."""
        if not _starts_transfer(scope):
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more and len(body) <= MAX_BODY_BYTES:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        try:
            body = with_run_id(body)
        except InvalidRequest as error:
            await _answer(send, 400, str(error))
            return
        headers = [(k, v) for k, v in scope["headers"] if k.lower() != b"content-length"]
        scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        await self.app(scope, _replay(body, receive), _tell_conflict(send))


def _starts_transfer(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "POST" or not TRIGGER_PATH.search(scope["path"]):
        return False
    # Who isn't logged in is refused by Airflow itself and learns nothing here.
    names = {name.lower() for name, _ in scope["headers"]}
    return b"authorization" in names or b"cookie" in names


def with_run_id(body: bytes) -> bytes:
    """Return the body of a trigger call with the run id of its request filled in where it has none.

    :raises InvalidRequest: when the configuration is not a whole, valid request.
    """
    try:
        document = json.loads(body)
        conf = document.get("conf") or {}
    except (ValueError, AttributeError):
        return body  # Airflow says what is wrong with it
    if not isinstance(conf, dict):
        return body
    transfer_id = transfer_id_of(conf, load_settings())
    if not document.get("dag_run_id"):
        document["dag_run_id"] = transfer_id
    # Transfers have none, and Airflow allows only one run per logical date.
    document["logical_date"] = None
    return json.dumps(document).encode()


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _tell_conflict(send: Send) -> Send:
    """Say in plain words what Airflow's answer to a second run of the same id means."""
    told = False

    async def tell(message: Message) -> None:
        nonlocal told
        if message["type"] == "http.response.start" and message["status"] == 409:
            told = True
            await _answer(send, 409, CONFLICT)
        elif not told:
            await send(message)

    return tell


async def _answer(send: Send, status: int, detail: str) -> None:
    content = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
