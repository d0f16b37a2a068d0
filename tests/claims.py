"""The socket between pulls and the receiving service, for tests of both ends."""

import socket
import threading
import time
from contextlib import contextmanager, suppress

from airlock.dicomio.wire.claim import (
    Claim,
    address,
    coming_folder,
    socket_path,
)
from airlock.dicomio.wire.claims import Claims
from airlock.dicomio.wire.sink import Caller, Incoming

CT, SYNTAX, PORT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", 104
STUDY = Claim("AIRLOCK", "AIRLOCK", "PACS", "PACS@here:104", frozenset({"1.2.3"}))


def incoming(originator=("", None), calling="PACS"):
    return Incoming(CT, "1.2.3.4", SYNTAX, Caller(calling, "AIRLOCK", "127.0.0.1", 1), originator)


@contextmanager
def running(folder, refusal=lambda _: None, **options):
    claims = Claims(socket_path(folder, PORT), refusal, **options)
    try:
        yield claims
    finally:
        claims.close()


@contextmanager
def speaking(folder, *said):
    """Yield a connection that said something."""
    with socket.socket(socket.AF_UNIX) as plain, address(socket_path(folder, PORT)) as name:
        plain.settimeout(5)
        plain.connect(name)
        with suppress(BrokenPipeError):
            for data in said:
                plain.sendall(data)
        yield plain


def hear(plain):
    """Return the next line; an empty one when the other end has closed."""
    data = b""
    with suppress(ConnectionError):
        while not data.endswith(b"\n") and (more := plain.recv(1)):
            data += more
    return data


class Waiting:
    """Says the same to every offer."""

    def __init__(self, status=0, pause=0.0):
        self.status, self.pause = status, pause
        self.files, self.given_up, self.noticed = [], threading.Event(), threading.Event()

    def decide(self, file):
        time.sleep(self.pause)
        self.files.append(file and file.read())
        if file:
            file.discard()
        return self.status

    def notice(self):
        self.noticed.set()

    def give_up(self):
        self.given_up.set()


def until(true, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def arrived(folder, content=b"x" * 40):
    coming = coming_folder(folder, PORT) / "1"
    coming.mkdir(parents=True, exist_ok=True)
    (coming / "file").write_bytes(content)
    return "1/file"
