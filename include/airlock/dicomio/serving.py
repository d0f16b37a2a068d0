"""The receiving service that many pulls share: what holds a port, and gives what comes to who asked for it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airlock.dicomio.turns import our_turn
from airlock.dicomio.wire.acceptor import Admission
from airlock.dicomio.wire.claim import Claim, coming_folder, socket_path
from airlock.dicomio.wire.claims import Claims
from airlock.errors import PeerUnavailable


@contextmanager
def claims_of(folder: Path, port: int, admission: Admission, *, tls: bool, sync: bool) -> Iterator[Claims]:
    """Let pulls claim what comes to a port, while the block runs.

    It waits until no pull listens there itself. The socket stays when the block ends: pulls then wait for the service
    rather than ask a PACS to send to a port where nobody listens, which it would refuse for good.

    :param folder: `<AIRLOCK_HOME>/scp`.
    :param admission: whom the port accepts.
    :param tls: whether it takes encrypted associations only.
    :param sync: whether names are to be on the disk before an instance is acknowledged.
    :raises PeerUnavailable: when another service has the port, or the socket cannot be made.
    """
    with ExitStack() as stack:
        stack.enter_context(_alone(folder, port))
        with our_turn(port):
            claims = Claims(socket_path(folder, port), _refusal(port, admission, tls=tls), sync=sync)
            stack.callback(claims.close)
        try:
            yield claims
        except BaseException:
            # It never received anything, or not for long: nobody is to wait for it.
            socket_path(folder, port).unlink(missing_ok=True)
            raise


def coming_of(folder: Path, port: int) -> Path:
    """Return where the service of a port writes what comes."""
    return coming_folder(folder, port)


def _refusal(port: int, admission: Admission, *, tls: bool) -> Callable[[Claim], str | None]:
    """Return what says why a claim would wait in vain."""

    def why(claim: Claim) -> str | None:
        if claim.aet != admission.ae_title:
            title = "calling_aet, which reports of storage commitment go to," if claim.reports else "move_aet"
            return (
                f"The service that receives at port {port} is {admission.ae_title}; {title} of the connection is "
                f"{claim.aet}. Correct one of them, or start a service for this title at a port of its own."
            )
        if claim.tls != tls:
            is_so, says_so = ("encrypted", "not") if tls else ("not encrypted", "that it is")
            return (
                f"The service that receives at port {port} is {is_so}; move_tls of the connection says {says_so}. "
                "Correct one of them."
            )
        if claim.caller and admission.callers and claim.caller not in admission.callers:
            return (
                f"The service that receives at port {port} does not admit {claim.caller}, which move_caller of the "
                "connection names. Start it with --caller for this title too."
            )
        return None

    return why


@contextmanager
def _alone(folder: Path, port: int) -> Iterator[None]:
    """Hold the port's lock in this home, whatever network namespace we are in.

    :raises PeerUnavailable: when another service has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / f"{port}.lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PeerUnavailable(
            f"Airlock cannot write below AIRLOCK_HOME/scp ({error.strerror}). Give its user the right to."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise PeerUnavailable(
            f"Another service of this AIRLOCK_HOME receives at port {port}. Stop it first, or choose another port."
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)
