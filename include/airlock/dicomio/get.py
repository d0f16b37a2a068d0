"""C-GET in the Study Root information model (PS3.4 section C.4.3): instances come over the association we opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pynetdicom import build_context, build_role, evt
from pynetdicom.presentation import PresentationContext, StoragePresentationContexts

from airlock.dicomio.answers import last_answer
from airlock.dicomio.association import MAX_CONTEXTS, AnswerQueue, associate
from airlock.dicomio.inbox import Inbox
from airlock.dicomio.peer import Peer
from airlock.dicomio.retrieval import Retrieval, RetrievalResult
from airlock.dicomio.syntaxes import RECEIVED, STUDY_ROOT_GET
from airlock.errors import PeerUnavailable

CLASSES_PER_ASSOCIATION = (MAX_CONTEXTS - 1) // len(RECEIVED)
_OUT_OF_RESOURCES = 0xA701  # PS3.4 table C.4-3


def get(peer: Peer, retrievals: Sequence[Retrieval], inbox: Inbox, sop_classes: Sequence[str]) -> RetrievalResult:
    """Have the peer send what is asked for over this association; return the answer to the last request.

    :param sop_classes: SOP classes that will come, `CLASSES_PER_ASSOCIATION` at most; empty when they are not known,
        then the 127 most common are proposed, each in whatever transfer syntax the peer prefers.
    Raises as :func:`airlock.dicomio.move.move`.
    """
    storage = list(_contexts(sop_classes)) if sop_classes else _default_contexts()
    roles = [build_role(uid, scp_role=True) for uid in sorted({str(c.abstract_syntax) for c in storage})]
    # A large instance is a sign of life long before it is whole.
    handlers = [(evt.EVT_C_STORE, inbox.handle), (evt.EVT_DATA_RECV, lambda _: inbox.notice())]
    result = RetrievalResult(0)
    with associate(peer, [build_context(STUDY_ROOT_GET), *storage], handlers=handlers, roles=roles) as association:
        association.dimse.msg_queue = AnswerQueue(lambda: inbox.last_arrival)
        for retrieval in retrievals:
            answers = association.send_c_get(retrieval.identifier(), STUDY_ROOT_GET)
            result = last_answer(peer, answers, lambda: inbox.last_arrival)
            if result.status == _OUT_OF_RESOURCES:
                raise PeerUnavailable(f"{peer.name} is out of resources (status 0x{result.status:04X}).")
    return result


def _contexts(sop_classes: Iterable[str]) -> Iterable[PresentationContext]:
    # A context per syntax: of a list the peer would choose one, and could not send the others as they are.
    for uid in sop_classes:
        for syntax in RECEIVED:
            yield build_context(uid, syntax)


def _default_contexts() -> list[PresentationContext]:
    return [build_context(str(c.abstract_syntax), RECEIVED) for c in StoragePresentationContexts[: MAX_CONTEXTS - 1]]
