"""The sandbox as an HTTP server, with the ways in which a real REDCap goes wrong."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from airlock.redcap.sandbox.api import Api, Form, Reply
from airlock.redcap.sandbox.dictionary import Dictionary
from airlock.redcap.sandbox.files import Files, read_form
from airlock.redcap.sandbox.places import Row
from airlock.redcap.sandbox.records import Records

DEFAULT_TOKEN = "5A4D" * 8
MAX_BODY_BYTES = 64 << 20

FAULTS = {
    "html": "status 200 with a page",
    "zero": "status 200 with a count of 0",
    "garbage": "status 200 with half a document",
    "reset": "the connection is cut before an answer",
    "lost": "the call is carried out, then the connection is cut",
    "hang": "no answer",
}
"""Faults by name; any HTTP status is one, too."""


class RedcapSandbox:
    """A REDCap project on this machine. A context manager that serves while it is open.

    :param token: API token with all rights.
    :param port: 0 for any free one.
    :param dictionary: data dictionary file; FIONA's *Incoming* project by default.
    :param state: file that keeps the records between two starts.
    :param tokens: more tokens, with `export`, `import` or both.
    """

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        port: int = 0,
        *,
        dictionary: Path | None = None,
        state: Path | None = None,
        tokens: dict[str, set[str]] | None = None,
    ) -> None:
        self.token = token
        rights = {token: frozenset({"export", "import"})}
        rights |= {name: frozenset(granted) for name, granted in (tokens or {}).items()}
        self._store = Records(Dictionary.load(dictionary), state)
        self._api = Api(self._store, rights, Files(self._store))
        self._lock = threading.Lock()
        self._faults: deque[str] = deque()
        self.closing = threading.Event()
        self.received: list[dict[str, str]] = []
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.sandbox = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """API URL."""
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def records(self) -> list[Row]:
        """Everything that is stored, as an export of all fields returns it."""
        with self._lock:
            return self._store.rows()

    def fail_next(self, fault: int | str, times: int = 1) -> None:
        """Let the next calls go wrong.

        :param fault: an HTTP status, or a name of :data:`FAULTS`.
        """
        name = str(fault)
        if name not in FAULTS and not re.fullmatch(r"[3-5][0-9][0-9]", name):
            raise ValueError(f"unknown fault {name!r}; known: an HTTP status from 300, {', '.join(FAULTS)}")
        with self._lock:
            self._faults.extend([name] * times)

    def enter(self, *rows: Row) -> None:
        """Store rows as a person does in the browser, whatever the API goes through. A blank clears a field."""
        with self._lock:
            self._store.load(list(rows), overwrite=True)

    def heal(self) -> None:
        """Forget the faults that have not happened yet."""
        with self._lock:
            self._faults.clear()

    def lock(self, *records: str) -> None:
        """Lock these records, and no others: what is imported into them is refused, as in REDCap."""
        with self._lock:
            self._store.locked = set(records)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, form: Form) -> tuple[Reply | None, str]:
        """Carry out a call. Return its answer (None: cut the connection) and the name of the fault, if any."""
        with self._lock:
            self.received.append({name: value for name, value in form.items() if name != "token"})
            fault = self._faults.popleft() if self._faults else ""
            if fault in ("", "lost"):
                reply = self._api.answer(form)
                return (None if fault else reply), fault
        return _spoiled(fault), fault


def _spoiled(fault: str) -> Reply | None:
    if fault.isdecimal():
        return Reply(int(fault), {"error": "The sandbox was told to fail"})
    return {
        "html": Reply(200, "<!DOCTYPE html><html><body>REDCap is offline</body></html>"),
        "zero": Reply(200, {"count": 0}),
        "garbage": Reply(200, '[{"study_inst'),
    }.get(fault)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    sandbox: RedcapSandbox

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent when a client goes away: a traceback would show what it sent."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "REDCapSandbox"
    timeout = 60

    def do_POST(self) -> None:
        """Answer an API call."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path.partition("?")[0] != "/api/":
            return self._send(Reply(404, "Not found"))
        kind = self.headers.get("Content-Type", "")
        if not 0 < length <= MAX_BODY_BYTES or not ("urlencoded" in kind or "multipart/form-data" in kind):
            return self._send(Reply(400, {"error": "The call must be a form"}))
        reply, fault = self.server.sandbox.take(read_form(self.rfile.read(length), kind))
        if fault == "hang":
            self.server.sandbox.closing.wait(60)
        if reply is None:
            return self._cut()
        return self._send(reply)

    def do_GET(self) -> None:
        """Refuse: the API takes POST only."""
        self._send(Reply(501, {"error": "The requested method is not implemented."}))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        self.wfile.write(reply.content)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            # Lingering for 0 s makes the close a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: the log is no place for what a call carries."""
