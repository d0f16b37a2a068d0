"""Airlock's own Storage SCP (PS3.4 annex B), for C-MOVE and for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt
from pynetdicom import _config as network_config
from pynetdicom.presentation import AllStoragePresentationContexts

from airlock.dicomio.association import MAX_PDU_BYTES, hurry
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.syntaxes import RECEIVED, VERIFICATION
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
) -> Iterator[None]:
    """Listen while the block runs, and take what comes into the inbox.

    All storage SOP classes are accepted, private ones too, in every transfer syntax of PS3.5 that carries images.

    :param ae_title: associations that call another title are rejected.
    :param host: address to listen on.
    :param callers: calling AE titles that are accepted; empty accepts all.
    :param network_timeout: seconds an association may be idle.
    :raises PeerUnavailable: when the port is taken.
    """
    entity = AE(ae_title=ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(callers)
    entity.maximum_pdu_size = MAX_PDU_BYTES
    entity.network_timeout = network_timeout
    entity.add_supported_context(VERIFICATION)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), RECEIVED)
    # Lets private storage SOP classes in (Siemens' non-image objects): screening decides about them, not the network.
    before, network_config.UNRESTRICTED_STORAGE_SERVICE = network_config.UNRESTRICTED_STORAGE_SERVICE, True
    handlers: list[Any] = [(evt.EVT_C_STORE, inbox.handle), (evt.EVT_CONN_OPEN, hurry)]
    try:
        server = entity.start_server((host, port), block=False, evt_handlers=handlers)
    except OSError as error:
        network_config.UNRESTRICTED_STORAGE_SERVICE = before
        raise PeerUnavailable(
            f"Airlock cannot listen on {host}:{port} ({error.strerror}). Free the port, or change move_port."
        ) from None
    try:
        yield
    finally:
        network_config.UNRESTRICTED_STORAGE_SERVICE = before
        if server is not None:
            server.shutdown()
