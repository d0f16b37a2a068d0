"""Sends many files to a peer over one association; with :mod:`airlock.dicomio.wire.crew`, over several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from airlock.dicomio.encodings import EXPLICIT, IMPLICIT
from airlock.dicomio.outgoing import Outcome, Outgoing, contexts_for
from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.command import Command
from airlock.dicomio.wire.glance import Meta
from airlock.dicomio.wire.requestor import NothingAccepted, Pace, Requestor, association
from airlock.dicomio.wire.sender import DatasetFile, Message, Sender
from airlock.errors import AirlockError, InstanceNotUnderstood, TransferIncomplete

_OTHER = {EXPLICIT: IMPLICIT, IMPLICIT: EXPLICIT}
Before = Callable[[str], None]


def send_batch(peer: Peer, batch: Sequence[Outgoing], before: Before, pace: Pace | None = None) -> Iterator[Outcome]:
    """Send files that fit into one association and yield what became of each, as the answers come.

    Raises as :func:`airlock.dicomio.store.send_files`.
    """
    try:
        if min(peer.associations, len(batch)) > 1:
            # Threads and queues take a while to import, which one association does without.
            from airlock.dicomio.wire.crew import Crew  # noqa: PLC0415 - as the comment says

            yield from Crew(peer, batch, before, pace).work()
            return
        with association(peer, contexts_for(batch)) as established:
            established.pace = pace
            yield from _send_in_turn(established, batch, before)
    except NothingAccepted:
        for file in batch:
            before(file.id)
            yield Outcome(file.id, None)


def _send_in_turn(established: Requestor, batch: Sequence[Outgoing], before: Before) -> Iterator[Outcome]:
    """Send one file after the other; while the peer works on one, the next is read."""
    sender = Sender(established)
    message: Message | None = None
    for position, file in enumerate(batch, start=1):
        before(file.id)
        message = message or _ahead(established, sender, file)
        if message is None:
            yield send_file(established, sender, file)
            continue
        sender.post(message)
        number = message.number
        message = _ahead(established, sender, batch[position]) if position < len(batch) else None
        yield _outcome(file, sender.answer(number))


def _ahead(established: Requestor, sender: Sender, file: Outgoing) -> Message | None:
    """Make the message of a file before its turn; None when that, or what is wrong with it, must wait for its turn."""
    try:
        with DatasetFile(file.path) as dataset:
            meta = _checked(file, dataset)
            context = established.contexts.get((file.sop_class_uid, file.transfer_syntax_uid))
            return None if context is None else sender.load(dataset, dataset.left, context, meta)
    except (OSError, AirlockError):
        return None


def send_file(established: Requestor, sender: Sender, file: Outgoing) -> Outcome:
    """Send a file as it is, or in the other uncompressed encoding, if the peer accepts one of them.

    :raises TransferIncomplete: when the file is not what it was, or is gone.
    """
    try:
        with DatasetFile(file.path) as dataset:
            meta = _checked(file, dataset)
            context = established.contexts.get((file.sop_class_uid, file.transfer_syntax_uid))
            if context is not None:
                return _outcome(file, sender.send(dataset, dataset.left, context, meta))
        other = _OTHER.get(file.transfer_syntax_uid, "")
        context = established.contexts.get((file.sop_class_uid, other))
        return _outcome(file, None if context is None else _send_recoded(sender, file, other, context, meta))
    except (OSError, InstanceNotUnderstood):
        raise _changed(file) from None


def _checked(file: Outgoing, dataset: DatasetFile) -> Meta:
    meta = dataset.meta()
    if (meta.sop_class_uid, meta.transfer_syntax_uid) != (file.sop_class_uid, file.transfer_syntax_uid):
        raise _changed(file)
    return meta


def _outcome(file: Outgoing, answer: Command | None) -> Outcome:
    return Outcome(file.id, None) if answer is None else Outcome(file.id, answer.status, answer.comment)


def _send_recoded(sender: Sender, file: Outgoing, syntax: str, context: int, meta: Meta) -> Command | None:
    # It needs pydicom, whose import takes longer than to send a hundred files as they are.
    from airlock.dicomio.wire.recode import recoded  # noqa: PLC0415 - as the comment says

    try:
        with recoded(file.path, syntax) as (stream, size):
            return sender.send(stream, size, context, meta)
    except InstanceNotUnderstood:
        return None


def _changed(file: Outgoing) -> TransferIncomplete:
    return TransferIncomplete(
        f"The file of {file.id} cannot be read any more, or changed. Clear the step that made it."
    )
