"""C-STORE (PS3.4 annex B): files go out as they are, in contexts built from what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from airlock.dicomio.outgoing import Outcome, Outgoing, contexts_for, is_stored, split
from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.exchange import send_batch

__all__ = ["Outcome", "Outgoing", "contexts_for", "is_stored", "send_files", "split"]


def send_files(
    peer: Peer,
    files: Iterable[Outgoing],
    before: Callable[[str], None] = lambda _: None,
    pace: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Send files and yield what became of each, as the answers come.

    With several associations (`peer.associations`), outcomes come in the order of the answers.

    :param before: called with the id of a file just before it is sent.
    :param pace: called with a number of bytes just before they are sent; it returns when they may be.
    :raises PeerUnavailable: nobody answers, or the peer rejects for the moment.
    :raises AssociationRejected: the peer rejects for good.
    :raises AssociationAborted: the association ended in the middle; files without an outcome may have arrived.
    :raises TransferIncomplete: a file was gone, or had changed, when its turn came.
    """
    send = send_batch
    if peer.engine == "pynetdicom":
        # A second or more of imports, which the byte path does without.
        from airlock.dicomio.pynetdicom_store import send_batch as send  # noqa: PLC0415 - as the comment says
    for batch in split(files):
        yield from send(peer, batch, before, pace)
