"""One association that was asked of us: C-ECHO, C-STORE and N-EVENT-REPORT, until it ends (PS3.7 9.1, 10.1.1)."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from airlock.dicomio.wire import command, pdu
from airlock.dicomio.wire.command import Command
from airlock.dicomio.wire.connection import Connection, Lost, Silent
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.items import ACCEPTED, Malformed
from airlock.dicomio.wire.sink import COMMITMENT, MISMATCH, SUCCESS, Caller, Incoming, Reception, Refusal, Sink

_SLOWEST_BYTES_PER_SECOND = 1024
_NOBODY = Caller()


@dataclass(frozen=True)
class Patience:
    """How long a peer may take, in seconds.

    :param association: to encrypt and to ask for the association, from when it connected.
    :param idle: between two requests, for each PDU, and to take our answer.
    """

    association: float = 30.0
    idle: float = 60.0


class Service:
    """Serves an accepted association.

    :param contexts: SOP class and transfer syntax by number of the accepted presentation context.
    :param max_pdu: longest P-DATA-TF that the peer takes; 0 is no limit.
    :param caller: whom the sink is told.
    """

    def __init__(
        self,
        connection: Connection,
        contexts: dict[int, tuple[str, str]],
        max_pdu: int,
        sink: Sink,
        patience: Patience,
        counts: Counts,
        caller: Caller = _NOBODY,
    ) -> None:
        self._connection = connection
        self._contexts = contexts
        self._fragment_bytes = max(16, max_pdu or pdu.MAX_PDU_BYTES) - 6
        self._sink = sink
        self._patience = patience
        self._counts = counts
        self._caller = caller
        self._command = bytearray()
        self._request: Command | None = None
        self._context = 0
        self._reception: Reception | None = None
        self._deadline = 0.0
        self.stopping = False

    @property
    def busy(self) -> bool:
        """Whether an instance, or a request, is coming just now."""
        return self._request is not None or bool(self._command)

    def run(self) -> None:
        """Answer requests until the association is released.

        :raises Lost: when the connection ends.
        :raises Silent: when nothing comes for too long, or too little.
        :raises Malformed: when something comes that has no place here.
        """
        self._connection.patience = self._patience.idle
        try:
            while not self.stopping or self.busy:
                kind, body = self._connection.read_pdu()
                if kind == pdu.P_DATA:
                    self._take(body)
                elif kind == pdu.RELEASE_RQ and not self.busy:
                    self._connection.send([pdu.encode_release(pdu.RELEASE_RP)])
                    return
                elif kind == pdu.ABORT:
                    raise Lost("it aborted")
                else:
                    raise Malformed("a PDU that has no place here")
            raise Silent("we stop")
        finally:
            if self._reception is not None:
                self._reception.abandon()

    def _take(self, body: memoryview) -> None:
        for context, flags, data in pdu.fragments(body):
            if flags & pdu.COMMAND:
                self._take_command(context, data, last=bool(flags & pdu.LAST))
            else:
                self._take_data(context, data, last=bool(flags & pdu.LAST))

    def _take_command(self, context: int, data: memoryview, *, last: bool) -> None:
        if self._request is not None or context not in self._contexts or (self._command and context != self._context):
            raise Malformed("a command where none can be")
        if len(self._command) + len(data) > command.MAX_COMMAND_BYTES:
            raise Malformed("a command set that is too long")
        self._context = context
        self._command += data
        if not last:
            return
        request = command.decode(bytes(self._command))
        self._command.clear()
        if request.field == command.CANCEL_RQ:
            return
        if request.status is not None:
            raise Malformed("an answer to nothing")
        if not request.has_dataset:
            self._answer(request, self._without_dataset(request))
            return
        self._request = request
        self._deadline = time.monotonic() + self._patience.idle
        self._reception = self._begin(request)

    def _without_dataset(self, request: Command) -> int:
        if request.field == command.ECHO_RQ:
            return SUCCESS
        if request.field == command.STORE_RQ:
            self._counts.add("refused")
            return MISMATCH
        return command.UNRECOGNISED_OPERATION

    def _begin(self, request: Command) -> Reception:
        sop_class, syntax = self._contexts[self._context]
        # A context for reports is accepted only where the sink takes them.
        if request.field != (command.REPORT_RQ if sop_class == COMMITMENT else command.STORE_RQ):
            return Refusal(command.UNRECOGNISED_OPERATION)
        if request.sop_class_uid != sop_class:
            return Refusal(MISMATCH)
        incoming = Incoming(sop_class, request.sop_instance_uid, syntax, self._caller, request.originator)
        return self._sink.begin(incoming)

    def _take_data(self, context: int, data: memoryview, *, last: bool) -> None:
        request, reception = self._request, self._reception
        if request is None or reception is None or context != self._context:
            raise Malformed("a dataset that nothing announced")
        reception.write(data)
        # Whoever sends a byte now and then is not idle, and would hold the association for ever.
        self._deadline += len(data) / _SLOWEST_BYTES_PER_SECOND
        if not last:
            if time.monotonic() > self._deadline:
                raise Silent("it is too slow")
            return
        self._reception = None
        status = reception.finish()
        self._request = None
        self._answer(request, status)

    def _answer(self, request: Command, status: int) -> None:
        data = command.answer(request, status)
        parts: list[bytes] = []
        for first in range(0, len(data), self._fragment_bytes):
            fragment = data[first : first + self._fragment_bytes]
            last = pdu.LAST if first + len(fragment) == len(data) else 0
            parts += [pdu.p_data_head(self._context, pdu.COMMAND | last, len(fragment)), fragment]
        self._connection.send(parts)


def contexts_of(request: pdu.Request, acceptance: pdu.Acceptance) -> dict[int, tuple[str, str]]:
    """Return SOP class and transfer syntax of the contexts that are accepted, by number."""
    return {
        number: (request.proposals[number].abstract_syntax, answer.transfer_syntax)
        for number, answer in acceptance.answers.items()
        if answer.result == ACCEPTED
    }


def abort(connection: Connection, reason: int) -> None:
    """Tell the other end that the association is over, as far as it listens."""
    with suppress(Lost, Silent):
        connection.patience = 1.0
        connection.send([pdu.encode_abort(pdu.ABORT_BY_PROVIDER, reason)])
