"""The enclosure: a server that listens everywhere is reached over the loopback interface only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from demo.enclosed import LOOPBACK, can_enclose, enclosed_command
from demo.services import free_port
from tests.listening import ports_beyond_loopback

# Answers "<what it was sent>, <what the port that it may call says>", and calls one that it may not.
SERVER = """
import socket, sys
listen, allowed, forbidden = map(int, sys.argv[1:])
server = socket.create_server(("0.0.0.0", listen))
while True:
    caller, _ = server.accept()
    word = caller.recv(100)
    said = socket.create_connection(("127.0.0.1", allowed)).recv(100)
    try:
        socket.create_connection(("127.0.0.1", forbidden), timeout=2)
        said += b", forbidden too"
    except OSError:
        pass
    caller.sendall(word + b", " + said)
    caller.close()
"""


def test_reached_over_loopback_only_and_calls_what_it_may(tmp_path: Path) -> None:
    if not can_enclose():
        if os.environ.get("CI") == "true":
            pytest.fail("network namespaces are not allowed here")
        pytest.skip("network namespaces are not allowed here")
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    port = free_port()
    with socket.create_server((LOOPBACK, 0)) as allowed, socket.create_server((LOOPBACK, 0)) as forbidden:
        ports = [port, allowed.getsockname()[1], forbidden.getsockname()[1]]
        command = enclosed_command(["python3", str(script), *map(str, ports)], listen=[port], connect=ports[1:2])
        process = subprocess.Popen(command, start_new_session=True)
        try:
            with _call(port) as caller:
                caller.sendall(b"hello")
                called, _ = allowed.accept()
                with called:
                    called.sendall(b"world")
                assert caller.recv(100) == b"hello, world"
            assert port not in ports_beyond_loopback()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _call(port: int) -> socket.socket:
    """Connect until the server is there: before, the relay closes the connection."""
    end = monotonic() + 20
    while monotonic() < end:
        with suppress(OSError):
            caller = socket.create_connection((LOOPBACK, port), timeout=10)
            caller.settimeout(0.3)
            try:
                if caller.recv(1, socket.MSG_PEEK):
                    return caller
            except TimeoutError:
                caller.settimeout(10)
                return caller
            caller.close()
        sleep(0.1)
    raise AssertionError("the enclosed server was never reached")
