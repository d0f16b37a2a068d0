"""A mail server on this machine that keeps what it is handed."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message


class _Session(socketserver.StreamRequestHandler):
    """The part of SMTP (RFC 5321) that a client without encryption uses."""

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline().strip().upper():
            if line == b"DATA":
                self._say("354 go on")
                self.server.messages.append(message_from_bytes(self._data()))
                self._say("250 taken")
            elif line == b"QUIT":
                return self._say("221 bye")
            elif line.startswith(b"RCPT") and self.server.refuses:
                self._say("550 no such user: Doe^Jane")
            else:
                self._say("250 ok")
        return None

    def _data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailSink(socketserver.ThreadingTCPServer):
    """Keeps messages; refuses every recipient when `refuses` is set."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.messages: list[Message] = []
        self.refuses = False

    @property
    def port(self) -> int:
        return self.server_address[1]


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    with MailSink() as sink:
        thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield sink
        sink.shutdown()
        thread.join()
