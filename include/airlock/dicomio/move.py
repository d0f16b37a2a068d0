"""C-MOVE in the Study Root information model (PS3.4 section C.4.2) to our own Storage SCP."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from pynetdicom import build_context
from pynetdicom.association import Association

from airlock.dicomio.answers import last_answer
from airlock.dicomio.association import AnswerQueue, associate
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.peer import Peer
from airlock.dicomio.receiving import claim_of, receiving
from airlock.dicomio.retrieval import Retrieval, RetrievalResult
from airlock.dicomio.scp import storage_server
from airlock.dicomio.syntaxes import STUDY_ROOT_MOVE
from airlock.dicomio.wire.tls import move_context
from airlock.errors import AssociationRejected, PeerUnavailable

_SUCCESS, _OUT_OF_RESOURCES, _DESTINATION_UNKNOWN = 0x0000, 0xA701, 0xA801  # PS3.4 table C.4-2
_PATIENCE_SECONDS = 10.0


def move(peer: Peer, retrievals: Sequence[Retrieval], inbox: Inbox, home: Path | None = None) -> RetrievalResult:
    """Have the peer send what is asked for to our port; return the answer to the last request.

    What comes is received by the service of that port (`airlock scp --moves`) where there is one, else here.
    A request that fails doesn't keep the others from being made: what came is in the inbox, and the caller counts.

    :param home: `AIRLOCK_HOME`, where the service is found; None: that of the environment.
    :raises PeerUnavailable: no answer, the peer is out of resources, our port is taken, or the service ended.
    :raises AssociationRejected: the peer refuses us, or doesn't know our move destination.
    :raises AssociationAborted: the association ended first.
    :raises PolicyError: when a certificate cannot be used, or the service's port is another than the connection says.
    """
    claim = claim_of(peer, frozenset(retrieval.study_uid for retrieval in retrievals))
    listen = partial(_listening, peer, inbox)
    with (
        receiving(peer, claim, inbox, listen, home) as message_id,
        associate(peer, [build_context(STUDY_ROOT_MOVE)]) as association,
    ):
        result = RetrievalResult(0)
        # Intermediate answers are optional (PS3.4 section C.4.2.2.2): what arrives may be the only sign of life.
        association.dimse.msg_queue = AnswerQueue(lambda: inbox.last_arrival)
        for retrieval in retrievals:
            result = _request(peer, association, retrieval, inbox, message_id)
            _check(peer, retrieval, result)
            inbox.counted = inbox.counted or bool(result.completed or result.failed)
        if result.status == _SUCCESS and not inbox.counted:
            # Some say so before they have begun, and send over connections of their own.
            inbox.wait(lambda: inbox.whole, _patience(peer))
    return result


def _listening(peer: Peer, inbox: Inbox) -> AbstractContextManager[None]:
    return storage_server(
        inbox,
        ae_title=peer.move_aet,
        port=peer.move_port,
        host=peer.move_host,
        callers=(peer.move_caller,) if peer.move_caller else (),
        network_timeout=peer.network_timeout,
        tls=move_context(peer),
    )


def _request(
    peer: Peer, association: Association, retrieval: Retrieval, inbox: Inbox, message_id: int
) -> RetrievalResult:
    before = inbox.acknowledged
    answers = association.send_c_move(retrieval.identifier(), peer.move_aet, STUDY_ROOT_MOVE, msg_id=message_id)
    result = last_answer(peer, answers, lambda: inbox.last_arrival)
    # The answer may overtake the last instances, which came over other connections.
    inbox.wait(lambda: inbox.acknowledged >= before + result.completed, _patience(peer))
    return result


def _patience(peer: Peer) -> float:
    return min(_PATIENCE_SECONDS, peer.network_timeout)


def _check(peer: Peer, retrieval: Retrieval, result: RetrievalResult) -> None:
    # A peer that doesn't understand a list finds nothing, and some say then that they cannot connect.
    if result.status == _DESTINATION_UNKNOWN and len(retrieval.sop_uids) < 2:
        raise AssociationRejected(
            f"{peer.name} doesn't know the move destination {peer.move_aet}, or cannot connect to it. Register it "
            f"there, with the address of this machine and port {peer.move_port}, and open the firewall."
        )
    if result.status == _OUT_OF_RESOURCES:
        raise PeerUnavailable(f"{peer.name} is out of resources (status 0x{result.status:04X}).")
