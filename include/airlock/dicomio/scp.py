"""Airlock's own Storage SCP (PS3.4 annex B) for the while of a C-MOVE. As a service of its own, see `airlock scp`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airlock.dicomio.inbox import Inbox
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.server import StorageServer
from airlock.dicomio.wire.service import Patience
from airlock.errors import PeerUnavailable


@contextmanager
def storage_server(
    inbox: Inbox,
    *,
    ae_title: str,
    port: int,
    host: str = "127.0.0.1",
    callers: Sequence[str] = (),
    network_timeout: float = 60,
    tls: ssl.SSLContext | None = None,
) -> Iterator[None]:
    """Listen while the block runs, and take what comes into the inbox.

    All storage SOP classes are accepted, private ones too (screening decides about them, not the network), in every
    transfer syntax of PS3.5 whose datasets can be read.

    :param ae_title: associations that call another title are rejected.
    :param host: address to listen on.
    :param callers: calling AE titles that are accepted; empty accepts all.
    :param network_timeout: seconds an association may be idle.
    :param tls: context of encrypted associations; None takes plain ones.
    :raises PeerUnavailable: when the port is taken.
    """
    admission = Admission(ae_title, frozenset(callers))
    patience = Patience(association=network_timeout, idle=network_timeout)
    try:
        server = StorageServer(inbox, admission, host=host, port=port, patience=patience, tls=tls)
    except PeerUnavailable as error:
        raise PeerUnavailable(f"{error} It is move_port of the connection.") from None
    try:
        yield
    finally:
        server.stop()
