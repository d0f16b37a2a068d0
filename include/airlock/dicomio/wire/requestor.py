"""An association that we ask for, to send over (PS3.8 section 7.1): negotiated, used, released or aborted."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from airlock.dicomio.peer import Peer
from airlock.dicomio.wire import pdu
from airlock.dicomio.wire.command import MAX_COMMAND_BYTES, Command, decode
from airlock.dicomio.wire.connection import Bytes, Connection, Lost, Silent, closed
from airlock.dicomio.wire.items import ACCEPTED, Malformed, Proposal
from airlock.errors import AirlockError, AssociationAborted, AssociationRejected, PeerDown, PeerUnavailable

_ROOM = 1 << 16
_RELEASE_SECONDS = 5.0
_PACED_BYTES = 1 << 15
Pace = Callable[[int], None]
"""Called with a number of bytes, it returns when so many may go."""


class NothingAccepted(AssociationRejected):
    """The peer accepted the association but nothing that was proposed in it."""


class Requestor:
    """An established association.

    :param contexts: number of the presentation context that was accepted, by SOP class and transfer syntax.
    :param max_pdu: longest P-DATA-TF that the peer takes; 0 is no limit.

    What is sent waits for :attr:`pace`, if there is one.
    """

    def __init__(
        self, peer: Peer, connection: Connection, contexts: Mapping[tuple[str, str], int], max_pdu: int
    ) -> None:
        self.pace: Pace | None = None
        self._peer = peer
        self._connection = connection
        self.contexts = contexts
        self.max_pdu = max_pdu

    def send(self, parts: Sequence[Bytes]) -> None:
        """Send P-DATA-TF.

        :raises AssociationAborted: the peer, or the network, ended the association.
        :raises PeerUnavailable: the peer takes nothing.
        """
        try:
            if self.pace is None:
                self._connection.send(parts)
            else:
                self._send_slowly(parts, self.pace)
        except Lost:
            raise self._ended() from None
        except Silent:
            raise PeerUnavailable(f"{self._peer.name} takes no data, for {self._peer.network_timeout:g} s.") from None

    def answer(self, message_id: int) -> Command:
        """Wait for the answer to a request; return it. It has a status.

        :raises AssociationAborted: the association ended instead, or the answer is none.
        :raises PeerUnavailable: there is none in time.
        """
        data = bytearray()
        self._connection.patience = self._peer.dimse_timeout
        deadline = time.monotonic() + self._peer.dimse_timeout
        try:
            while True:
                kind, body = self._connection.read_pdu()
                if kind != pdu.P_DATA:
                    raise self._ended()
                if self._collect(body, data):
                    found = decode(bytes(data))
                    data.clear()
                    if found.status is not None and found.message_id == message_id:
                        return found
                if time.monotonic() > deadline:
                    raise Silent("it says other things")
        except Silent:
            raise PeerUnavailable(f"{self._peer.name} did not answer in {self._peer.dimse_timeout:g} s.") from None
        except Lost:
            raise self._ended() from None
        except Malformed:
            raise AssociationAborted(
                f"{self._peer.name} answers with something that is not DICOM. The association was aborted."
            ) from None
        finally:
            self._connection.patience = self._peer.network_timeout

    def release(self) -> None:
        """End the association as agreed; a peer that doesn't answer is left."""
        with suppress(Lost, Silent, Malformed):
            self._connection.patience = min(_RELEASE_SECONDS, self._peer.acse_timeout)
            self._connection.send([pdu.encode_release(pdu.RELEASE_RQ)])
            while self._connection.read_pdu()[0] == pdu.P_DATA:
                pass
        self._connection.close()

    def abort(self) -> None:
        """End the association at once."""
        with suppress(Lost, Silent):
            self._connection.patience = 0.5
            self._connection.send([pdu.encode_abort(pdu.BY_USER, pdu.NO_REASON)])
        self._connection.close()

    def shut(self) -> None:
        """Have the thread that uses it find it ended."""
        self._connection.shut()

    def _send_slowly(self, parts: Sequence[Bytes], pace: Pace) -> None:
        for part in parts:
            view = memoryview(part)
            for start in range(0, len(view), _PACED_BYTES):
                piece = view[start : start + _PACED_BYTES]
                pace(len(piece))
                self._connection.send([piece])

    def _collect(self, body: memoryview, data: bytearray) -> bool:
        """Add command fragments; return whether the last one has come."""
        whole = False
        for _, flags, fragment in pdu.fragments(body):
            if not flags & pdu.COMMAND or len(data) + len(fragment) > MAX_COMMAND_BYTES:
                raise Malformed("a dataset, or far too much, instead of an answer")
            data += fragment
            whole = bool(flags & pdu.LAST)
        return whole

    def _ended(self) -> AssociationAborted:
        return AssociationAborted(
            f"{self._peer.name}, or the network, ended the association in the middle of the work."
        )


@contextmanager
def association(peer: Peer, proposals: Sequence[Proposal]) -> Iterator[Requestor]:
    """Yield an association; release it when the block ends, abort it when the block fails.

    Raises as :func:`request`.
    """
    requested = request(peer, proposals)
    try:
        yield requested
    except BaseException:
        requested.abort()
        raise
    requested.release()


def request(peer: Peer, proposals: Sequence[Proposal]) -> Requestor:
    """Ask a peer for an association.

    :raises PeerDown: nobody answers, or the peer rejects for the moment.
    :raises PeerUnavailable: it doesn't agree on TLS.
    :raises AssociationRejected: the peer rejects for good, or its certificate is not accepted.
    :raises NothingAccepted: it accepts none of the contexts.
    :raises AssociationAborted: it aborts while the association is negotiated.
    """
    connection = Connection(_connect(peer), peer.acse_timeout, room=_ROOM)
    try:
        established = _negotiate(peer, connection, {2 * n + 1: p for n, p in enumerate(proposals)})
    except BaseException:
        connection.close()
        raise
    connection.patience = peer.network_timeout
    if not established.contexts:
        established.release()
        raise NothingAccepted(f"{peer.name} offers none of the services that were asked for.")
    return established


def _connect(peer: Peer) -> socket.socket:
    if peer.tls:
        # Not where nothing is encrypted: ssl takes a while to import. Before anybody is called, as a file may be wrong.
        from airlock.dicomio.wire.tls import client_context, encrypted  # noqa: PLC0415 - as the comment says

        context = client_context(peer)
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout=peer.acse_timeout)
    except (socket.gaierror, UnicodeError):
        raise PeerUnavailable(
            f"The name of {peer.name} cannot be resolved. Check the host of the connection."
        ) from None
    except OSError:
        raise PeerDown(f"{peer.name} cannot be reached. Check that it runs, and host and port.") from None
    if not peer.tls:
        return plain
    try:
        return encrypted(plain, context, peer)
    except BaseException:
        plain.close()
        raise


def _negotiate(peer: Peer, connection: Connection, proposals: Mapping[int, Proposal]) -> Requestor:
    asked = pdu.Request(peer.called_aet, peer.calling_aet, proposals, pdu.MAX_PDU_BYTES)
    since = time.monotonic()
    try:
        connection.send([pdu.encode_request(asked)])
        kind, body = connection.read_pdu()
        if kind == pdu.ASSOCIATE_RJ:
            raise _rejected(peer, pdu.decode_rejection(body))
        if kind == pdu.ASSOCIATE_AC:
            return _accepted(peer, connection, proposals, pdu.decode_acceptance(body))
    except Silent:
        raise PeerDown(
            f"{peer.name} did not answer an association request in {time.monotonic() - since:.0f} s."
        ) from None
    except Lost:
        # With TLS 1.3, a server tells only now that it doesn't take our certificate.
        raise no_tls(peer) if peer.tls else closed(peer.name) from None
    except Malformed:
        raise _aborted(peer) from None
    raise _aborted(peer)


def _accepted(
    peer: Peer, connection: Connection, proposals: Mapping[int, Proposal], acceptance: pdu.Acceptance
) -> Requestor:
    contexts = {}
    for number, answer in acceptance.answers.items():
        proposal = proposals.get(number)
        if answer.result == ACCEPTED:
            if proposal is None or answer.transfer_syntax not in proposal.transfer_syntax:
                raise Malformed("it accepts what was not proposed")
            contexts[proposal.abstract_syntax, answer.transfer_syntax] = number
    return Requestor(peer, connection, contexts, acceptance.max_pdu)


def no_tls(peer: Peer) -> PeerUnavailable:
    """Return the error for a peer that doesn't agree on TLS."""
    return PeerUnavailable(
        f"{peer.name} does not agree on TLS. Check that its port is the encrypted one, that it takes TLS 1.2 or newer, "
        "and that it trusts our certificate (cert_file)."
    )


def _rejected(peer: Peer, rejection: pdu.Rejection) -> AirlockError:
    if rejection.result == pdu.PERMANENT:
        return AssociationRejected(
            f"{peer.name} rejects associations from {peer.calling_aet} ({rejection.words}). "
            "Register our AE title and address there, or correct the connection."
        )
    return PeerDown(f"{peer.name} rejects associations for the moment ({rejection.words}).")


def _aborted(peer: Peer) -> AssociationAborted:
    return AssociationAborted(f"{peer.name} aborted the association while it was negotiated.")
