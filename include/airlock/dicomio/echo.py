"""C-ECHO (PS3.4 annex A): whether the peer answers."""

from __future__ import annotations

import time

from pynetdicom import build_context

from airlock.dicomio.association import associate, no_answer
from airlock.dicomio.peer import Peer
from airlock.dicomio.syntaxes import VERIFICATION
from airlock.errors import PeerUnavailable


def echo(peer: Peer) -> None:
    """Return when the peer answers a C-ECHO.

    :raises PeerUnavailable: when it doesn't, or answers with a failure.
    :raises AssociationRejected: when it refuses us.
    """
    with associate(peer, [build_context(VERIFICATION)]) as association:
        since = time.monotonic()
        answer = association.send_c_echo()
        if "Status" not in answer:
            raise no_answer(peer, since)
        if answer.Status != 0x0000:
            raise PeerUnavailable(f"{peer.name} answers C-ECHO with status 0x{answer.Status:04X}.")
