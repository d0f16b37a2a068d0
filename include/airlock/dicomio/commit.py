"""Storage Commitment (PS3.4 annex J): a peer promises that it keeps instances, and can be held to it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt

from airlock.dicomio.association import associate, no_answer
from airlock.dicomio.peer import Peer
from airlock.dicomio.receiving import claim_of, receiving
from airlock.dicomio.syntaxes import VERIFICATION
from airlock.dicomio.wire.received import OfferedFile
from airlock.dicomio.wire.sink import CANNOT_UNDERSTAND, COMMITMENT, OUT_OF_RESOURCES, SUCCESS
from airlock.dicomio.wire.tls import move_context
from airlock.errors import AssociationRejected, PeerUnavailable

_PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"  # well-known SOP instance, PS3.4 section J.3.5
_REQUEST = 1  # action type, PS3.4 table J.3-1
_PER_TRANSACTION = 2000
_SAME_ASSOCIATION_SECONDS = 5.0


@dataclass
class _Report:
    """What the peer reports of one transaction."""

    transaction_uid: str
    committed: set[str] = field(default_factory=set)
    came: threading.Event = field(default_factory=threading.Event)

    def handle(self, event: evt.Event) -> tuple[int, None]:
        """Handle `EVT_N_EVENT_REPORT`. Reports of other transactions are acknowledged and ignored."""
        self.take(event.event_information)
        return SUCCESS, None

    def decide(self, file: OfferedFile | None) -> int:
        """Read a report that the receiving service got, of whichever transaction."""
        if file is None:
            return OUT_OF_RESOURCES
        try:
            self.take(dcmread(io.BytesIO(file.read())))
        except Exception:  # noqa: BLE001 - pydicom raises anything, with values in it
            return CANNOT_UNDERSTAND
        finally:
            file.discard()
        return SUCCESS

    def notice(self) -> None:
        """Wait as long as for any report."""

    def give_up(self) -> None:
        """Wait no longer: the receiving service has ended."""
        self.came.set()

    def take(self, information: Dataset) -> None:
        """Take a report; those of other transactions mean nothing."""
        if str(information.get("TransactionUID", "")) == self.transaction_uid:
            committed = {str(item.ReferencedSOPInstanceUID) for item in information.get("ReferencedSOPSequence") or []}
            failed = {str(item.ReferencedSOPInstanceUID) for item in information.get("FailedSOPSequence") or []}
            self.committed = committed - failed
            self.came.set()


def commit(peer: Peer, instances: Sequence[tuple[str, str]], patience_seconds: float) -> set[str]:
    """Ask a peer to commit itself to instances; return the SOPInstanceUIDs of those that it does.

    The report comes over the association that asks, or to our C-MOVE port, where the receiving service passes it on.

    :param instances: SOP class UID and SOP instance UID of each.
    :param patience_seconds: how long the peer may take for a report.
    :raises PeerUnavailable: no answer, or no report in time.
    :raises AssociationRejected: the peer refuses us, or doesn't offer the service.
    :raises AssociationAborted: the association ended before the answer.
    """
    committed: set[str] = set()
    for start in range(0, len(instances), _PER_TRANSACTION):
        part = instances[start : start + _PER_TRANSACTION]
        committed |= _transaction(peer, part, patience_seconds)
    return committed & {sop_uid for _, sop_uid in instances}


def _transaction(peer: Peer, instances: Collection[tuple[str, str]], patience_seconds: float) -> set[str]:
    report = _Report(str(generate_uid()))
    handlers: list[Any] = [(evt.EVT_N_EVENT_REPORT, report.handle)]
    listen = partial(_listening, peer, handlers)
    with receiving(peer, claim_of(peer, frozenset()), report, listen):
        deadline = time.monotonic() + patience_seconds
        with associate(peer, [build_context(COMMITMENT)], handlers=handlers) as association:
            since = time.monotonic()
            information = _information(report.transaction_uid, instances)
            status, _ = association.send_n_action(information, _REQUEST, COMMITMENT, _PUSH_INSTANCE)
            if "Status" not in status:
                raise no_answer(peer, since)
            if status.Status != 0x0000:
                raise AssociationRejected(
                    f"{peer.name} refuses storage commitment with status 0x{status.Status:04X}. Set destination.proof "
                    "of the project's policy to query, or have the PACS offer it."
                )
            # A peer that reports over another association may wait until this one has ended.
            report.came.wait(min(_SAME_ASSOCIATION_SECONDS, patience_seconds))
        if not report.came.wait(max(0.0, deadline - time.monotonic())):
            raise PeerUnavailable(
                f"{peer.name} did not report what it commits itself to in {patience_seconds:g} s. It must know "
                f"{peer.calling_aet}, the address of this machine, and port {peer.move_port}."
            )
    return report.committed


def _information(transaction_uid: str, instances: Collection[tuple[str, str]]) -> Dataset:
    """Return what is asked for (PS3.4 table J.3-2)."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    items = []
    for sop_class, sop_uid in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_uid
        items.append(item)
    information.ReferencedSOPSequence = items
    return information


@contextmanager
def _listening(peer: Peer, handlers: list[Any]) -> Iterator[None]:
    """Listen for the report, as the peer may send it over an association of its own.

    :raises PeerUnavailable: our port is taken.
    """
    entity = AE(ae_title=peer.calling_aet)
    entity.network_timeout = peer.network_timeout
    entity.add_supported_context(VERIFICATION)
    # The peer opens the association as the provider of the service: it proposes the roles turned round.
    entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    try:
        server = entity.start_server(
            (peer.move_host, peer.move_port), block=False, evt_handlers=handlers, ssl_context=move_context(peer)
        )
    except OSError as error:
        raise PeerUnavailable(
            f"Airlock cannot listen on {peer.move_host}:{peer.move_port} ({error.strerror}). Free the port, or change "
            "move_port."
        ) from None
    try:
        yield
    finally:
        if server is not None:
            server.shutdown()
