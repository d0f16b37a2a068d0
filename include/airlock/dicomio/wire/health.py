"""How a receiver is, by HTTP on the loopback interface: JSON, numbers only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airlock.errors import PeerUnavailable

State = Callable[[], dict[str, Any]]
"""Returns what is told; `status` says `ok` when the receiver takes instances."""
_PATIENCE_SECONDS = 5.0


@contextmanager
def health_server(port: int, state: State) -> Iterator[int]:
    """Answer `GET /health` while the block runs; yield the port.

    The answer is 200 when the state is `ok`, else 503, so that a monitor needs no JSON.

    :param port: 0 takes a free one.
    :raises PeerUnavailable: when the port is taken.
    """
    handler = type("Handler", (_Handler,), {"state": staticmethod(state)})
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise PeerUnavailable(f"Airlock cannot listen on 127.0.0.1:{port} ({error.strerror}). Free the port.") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: State
    timeout = _PATIENCE_SECONDS
    server_version, sys_version = "airlock", ""

    def do_GET(self) -> None:
        """Answer."""
        if self.path != "/health":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        state = self.state()
        body = json.dumps(state).encode()
        self.send_response(HTTPStatus.OK if state["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: who asks for health would fill the log."""
