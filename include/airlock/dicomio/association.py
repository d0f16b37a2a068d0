"""Associations as a requestor, and what their failures mean for a retry."""

from __future__ import annotations

import os
import queue
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.presentation import PresentationContext

from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.connection import closed
from airlock.dicomio.wire.tls import client_context
from airlock.errors import AirlockError, AssociationAborted, AssociationRejected, PeerDown, PeerUnavailable

MAX_PDU_BYTES = 131072
MAX_CONTEXTS = 128
"""Presentation contexts of one association: odd ids from 1 to 255 (PS3.8 section 9.3.2.2)."""

_REJECTED_PERMANENT = 1  # PS3.8 table 9-21
_END_SECONDS = 2.0
_RELEASE_SECONDS = 5.0
"""Who doesn't answer a release is left: all is done by then."""
# What a peer can say, as events of PS3.8 table 9-10: any PDU, and what is none.
_SAID = frozenset({"Evt3", "Evt4", "Evt6", "Evt10", "Evt12", "Evt13", "Evt16", "Evt19"})
Handlers = list[tuple[Any, Callable[..., Any]]]


class NoContextAccepted(AssociationRejected):
    """The peer accepted the association but nothing that was proposed in it."""


@contextmanager
def associate(
    peer: Peer,
    contexts: Sequence[PresentationContext],
    *,
    handlers: Handlers | None = None,
    roles: Sequence[Any] = (),
) -> Iterator[Association]:
    """Yield an established association; release it when the block ends, abort it when the block fails.

    :param roles: role selection items, for C-GET.
    :raises PeerUnavailable: nobody answers, or the peer rejects for the moment.
    :raises AssociationRejected: the peer rejects for good.
    :raises NoContextAccepted: it accepts none of the contexts.
    :raises AssociationAborted: it aborts while the association is negotiated.
    """
    entity = AE(ae_title=peer.calling_aet)
    entity.acse_timeout = entity.connection_timeout = peer.acse_timeout
    entity.dimse_timeout = peer.dimse_timeout
    entity.network_timeout = peer.network_timeout
    connected: list[float] = []
    rejected: list[A_ASSOCIATE_RJ] = []
    said: list[str] = []

    def on_connected(event: evt.Event) -> None:
        connected.append(time.monotonic())
        hurry(event)

    def on_pdu(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejected.append(event.pdu)

    def on_transition(event: evt.Event) -> None:
        if event.fsm_event in _SAID:
            said.append(event.fsm_event)

    try:
        association = entity.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.called_aet,
            max_pdu=MAX_PDU_BYTES,
            ext_neg=list(roles),
            tls_args=(client_context(peer), peer.host) if peer.tls else None,
            evt_handlers=[
                (evt.EVT_CONN_OPEN, on_connected),
                (evt.EVT_PDU_RECV, on_pdu),
                (evt.EVT_FSM_TRANSITION, on_transition),
                *(handlers or []),
            ],
        )
    except (OSError, UnicodeError):
        raise PeerUnavailable(
            f"The name of {peer.name} cannot be resolved. Check the host of the connection."
        ) from None
    if not association.is_established:
        raise _rejection(peer, rejected[0]) if rejected else _not_established(peer, association, connected, said)
    association.dimse.msg_queue = AnswerQueue()
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    if association.is_established:
        association.acse_timeout = min(_RELEASE_SECONDS, peer.acse_timeout)
        association.release()


def _rejection(peer: Peer, answer: A_ASSOCIATE_RJ) -> AirlockError:
    # Its own flag does not tell: pynetdicom takes a peer that rejects at once for one that was never reached, when its
    # thread that reads is faster than the one that waits for the connection.
    if answer.result == _REJECTED_PERMANENT:
        return AssociationRejected(
            f"{peer.name} rejects associations from {peer.calling_aet} ({answer.reason_str}). "
            "Register our AE title and address there, or correct the connection."
        )
    return PeerDown(f"{peer.name} rejects associations for the moment ({answer.reason_str}).")


def _not_established(peer: Peer, association: Association, connected: list[float], said: list[str]) -> AirlockError:
    if association.rejected_contexts:
        return NoContextAccepted(f"{peer.name} offers none of the services that were asked for.")
    if not connected:
        return PeerDown(f"{peer.name} cannot be reached. Check that it runs, and host and port.")
    if time.monotonic() - connected[0] >= peer.acse_timeout:
        return PeerDown(f"{peer.name} did not answer an association request in {peer.acse_timeout:g} s.")
    # The thread that reads tells what came a moment after it has told that the association is over.
    association.dul.join(_END_SECONDS)
    if not said and not peer.tls and not association.dul.is_alive():
        # What forwards a port, or shares out load, takes connections for a PACS that is down. With TLS, who doesn't
        # take our certificate goes in the same way.
        return closed(peer.name)
    return AssociationAborted(f"{peer.name} aborted the association while it was negotiated.")


def no_answer(peer: Peer, since: float) -> AirlockError:
    """Return the error for a request that was not answered.

    :param since: `time.monotonic()` of the last sign of life.
    """
    if time.monotonic() - since >= peer.dimse_timeout:
        return PeerUnavailable(f"{peer.name} did not answer in {peer.dimse_timeout:g} s.")
    return AssociationAborted(f"{peer.name}, or the network, ended the association in the middle of the work.")


class AnswerQueue(queue.Queue[Any]):
    """Queue of what a peer answers, only for who waits for an answer.

    pynetdicom's own thread looks into the queue too, without waiting, and drops what it finds. It is to pause while a
    request is under way, but may wake up late from the pause before, and then takes an answer of the next request: an
    instance would be missing from a C-FIND without any error.

    :param alive_at: `time.monotonic()` of another sign of life, from which the patience starts again.
    """

    def __init__(self, alive_at: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self._alive_at = alive_at

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Wait for an answer, `timeout` seconds from the last sign of life."""
        if not block:
            raise queue.Empty
        if timeout is None:
            return super().get()
        since = time.monotonic()
        while (left := max(since, self._alive_at()) + timeout - time.monotonic()) > 0:
            with suppress(queue.Empty):
                return super().get(True, left)
        raise queue.Empty


class _PromptSocket(socket.socket):
    """Acknowledges at once what it receives.

    A peer that answers in two writes with Nagle's algorithm on (DCMTK's default) otherwise waits for our delayed
    acknowledgement, some 40 ms per instance.
    """

    def recv(self, *arguments: Any) -> bytes:
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().recv(*arguments)


def hurry(event: evt.Event) -> None:
    """Handle `EVT_CONN_OPEN`: make the connection wait neither for the peer's acknowledgements nor with ours."""
    holder = event.assoc.dul.socket
    if holder is None or type(holder.socket) is not socket.socket:
        return  # TLS, or closed again already
    holder.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_QUICKACK"):
        plain = holder.socket
        timeout = plain.gettimeout()
        # A duplicate, because whoever made the connection still holds the plain socket and closes it.
        holder.socket = _PromptSocket(plain.family, plain.type, plain.proto, fileno=os.dup(plain.fileno()))
        holder.socket.settimeout(timeout)
