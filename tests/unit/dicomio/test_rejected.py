"""What a peer says when it rejects an association, however quickly it says it."""

import socketserver
import threading
import time
from contextlib import contextmanager

import pytest
from pynetdicom import build_context, evt

from airlock.dicomio.association import associate
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import VERIFICATION
from airlock.dicomio.wire.pdu import Proposal
from airlock.dicomio.wire.requestor import request
from airlock.errors import AssociationAborted, AssociationRejected, PeerDown


@contextmanager
def rejecting(result, source, reason):
    """A peer that answers with an A-ASSOCIATE-RJ (PS3.8 section 9.3.4) and closes the connection."""

    with answering(bytes([0x03, 0, 0, 0, 0, 4, 0, result, source, reason])) as peer:
        yield peer


@contextmanager
def answering(content):
    """A peer that answers with so many bytes and closes the connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            self.request.sendall(content)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Peer("127.0.0.1", server.server_address[1], acse_timeout=10)
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("delay", [0.0, 0.2], ids=["slow to answer", "quicker than who waits"])
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((1, 1, 7), AssociationRejected, r"Called AE title not recogni[sz]ed.*Register our AE title"),
        ((2, 3, 2), PeerDown, "for the moment"),
    ],
)
def test_it_is_told_as_it_was_said(answer, error, words, delay):
    # The connection is closed again before this thread looks whether it was ever made.
    handlers = [(evt.EVT_REQUESTED, lambda _: time.sleep(delay))]
    with (
        rejecting(*answer) as peer,
        pytest.raises(error, match=words),
        associate(peer, [build_context(VERIFICATION)], handlers=handlers),
    ):
        pass


def ask(peer):
    with associate(peer, [build_context(VERIFICATION)]):
        pass


def ask_by_wire(peer):
    request(peer, [Proposal(VERIFICATION, ("1.2.840.10008.1.2",))])


ABORT = bytes([0x07, 0, 0, 0, 0, 4, 0, 0, 0, 0])


@pytest.mark.parametrize("way", [ask, ask_by_wire])
@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", PeerDown), (ABORT, AssociationAborted), (b"HTTP/1.1 400 Bad Request\r\n\r\n", AssociationAborted)],
    ids=["nothing", "abort", "garbage"],
)
def test_who_says_nothing_is_down_and_who_says_something_is_not(way, content, error):
    """As what forwards a port does for a PACS that is down."""
    with answering(content) as peer, pytest.raises(error) as told:
        way(peer)
    assert type(told.value) is error
