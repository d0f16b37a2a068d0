"""C-STORE by pynetdicom: the other engine, for a peer with which the byte path does not get on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydicom import dcmread
from pynetdicom import _config as network_config
from pynetdicom import build_context
from pynetdicom.association import Association

from airlock.dicomio.association import NoContextAccepted, associate, no_answer
from airlock.dicomio.encodings import EXPLICIT, IMPLICIT
from airlock.dicomio.outgoing import Outcome, Outgoing, contexts_for
from airlock.dicomio.peer import Peer
from airlock.dicomio.wire.command import shown_comment

# A file is read and sent piece by piece, never decoded.
network_config.STORE_SEND_CHUNKED_DATASET = True


def send_batch(
    peer: Peer, batch: Sequence[Outgoing], before: Callable[[str], None], pace: Callable[[int], None] | None = None
) -> Iterator[Outcome]:
    """Send files over one association. As :func:`airlock.dicomio.wire.exchange.send_batch`.

    The library sends a file at once: `pace` is asked for all of it.
    """
    contexts = [build_context(p.abstract_syntax, list(p.transfer_syntax)) for p in contexts_for(batch)]
    try:
        with associate(peer, contexts) as association:
            for file in batch:
                if pace is not None:
                    pace(Path(file.path).stat().st_size)
                before(file.id)
                yield _send(peer, association, file)
    except NoContextAccepted:
        for file in batch:
            before(file.id)
            yield Outcome(file.id, None)


def _send(peer: Peer, association: Association, file: Outgoing) -> Outcome:
    accepted = {
        str(c.transfer_syntax[0]) for c in association.accepted_contexts if c.abstract_syntax == file.sop_class_uid
    }
    since = time.monotonic()
    if not association.is_established:
        raise no_answer(peer, since)
    try:
        if file.transfer_syntax_uid in accepted:
            answer = association.send_c_store(file.path)
        elif {file.transfer_syntax_uid, *accepted} >= {EXPLICIT, IMPLICIT}:
            answer = association.send_c_store(dcmread(file.path))
        else:
            return Outcome(file.id, None)
    except (ValueError, AttributeError, RuntimeError):
        # pynetdicom's own text may quote the dataset. The association may also have ended just now.
        if not association.is_established:
            raise no_answer(peer, since) from None
        return Outcome(file.id, None)
    if "Status" not in answer:
        raise no_answer(peer, since)
    # A comment of more than one value, or of none, is no text.
    comment = shown_comment(str(answer.get("ErrorComment") or ""))
    return Outcome(file.id, int(answer.Status), comment)
