"""How what a PACS sends us gets to who asked for it: by the service that many share, else by a port of our own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from airlock.dicomio.claiming import Waiting, claimed
from airlock.dicomio.peer import Peer
from airlock.dicomio.turns import our_turn
from airlock.dicomio.wire.claim import Claim
from airlock.settings import load_settings

log = logging.getLogger(__name__)
_OWN_MESSAGE_ID = 1


def services_folder(home: Path | None = None) -> Path:
    """Return where the sockets of receiving services are.

    :param home: `AIRLOCK_HOME`; None: that of the environment.
    """
    return (home or load_settings().home) / "scp"


def claim_of(peer: Peer, studies: frozenset[str]) -> Claim:
    """Return what a pull of these studies claims; without any, what waits for a report of storage commitment."""
    return Claim(
        aet=peer.move_aet if studies else peer.calling_aet,
        asked_as=peer.calling_aet,
        asked=peer.called_aet,
        source=peer.name,
        studies=studies,
        reports=not studies,
        caller=peer.move_caller if studies else None,
        tls=peer.move_tls,
    )


@contextmanager
def receiving(
    peer: Peer,
    claim: Claim,
    waiting: Waiting,
    listen: Callable[[], AbstractContextManager[None]],
    home: Path | None = None,
) -> Iterator[int]:
    """Have what is claimed come to us while the block runs; yield the Message ID to ask with.

    Where no service holds the port, those of this user on this machine who listen there take turns.

    :param waiting: told of what the service offers.
    :param listen: listens at the port, when there is no service.
    :raises PeerUnavailable: our port is taken, or the service doesn't answer, or ended before the block did.
    :raises PolicyError: the service cannot serve this claim.
    """
    folder, port = services_folder(home), peer.move_port
    with ExitStack() as stack:
        holding = stack.enter_context(claimed(folder, port, claim, waiting))
        if holding is None:
            turn = stack.enter_context(ExitStack())
            turn.enter_context(our_turn(port))
            # A service waits for its turn too, and may have begun meanwhile.
            holding = stack.enter_context(claimed(folder, port, claim, waiting))
            if holding is None:
                stack.enter_context(listen())
                log.info("What %s sends is received here, at port %d: no service does.", peer.name, port)
                yield _OWN_MESSAGE_ID
                return
            turn.close()
        log.info("What %s sends is received by the service at port %d.", peer.name, port)
        yield holding.message_id
