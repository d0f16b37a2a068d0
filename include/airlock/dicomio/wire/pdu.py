"""Protocol data units of the upper layer (PS3.8 section 9.3): made, and taken apart without trusting a length."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from airlock.dicomio.wire import items as parts
from airlock.dicomio.wire.items import Answer, Malformed, Proposal

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
MAX_PDU_BYTES = 131072
"""Longest P-DATA-TF that we take (its variable field); the most that DCMTK sends."""
MAX_NEGOTIATION_BYTES = 1 << 18
"""Longest association PDU that we take: 128 contexts with 30 transfer syntaxes each fit."""
MAX_CONTEXTS = 128
HEAD = struct.Struct(">BxL")
PDV_HEAD = struct.Struct(">LBB")
COMMAND, LAST = 1, 2  # message control header, PS3.8 annex E.2
_ASSOCIATE = struct.Struct(">Hxx16s16s32x")

# PS3.8 tables 9-21 and 9-26
PERMANENT, TRANSIENT = 1, 2
BY_USER, BY_ACSE, BY_PRESENTATION = 1, 2, 3
CALLING_UNKNOWN, CALLED_UNKNOWN = 3, 7
LIMIT_EXCEEDED = 2
ABORT_BY_PROVIDER, UNEXPECTED_PDU, INVALID_PARAMETER, NO_REASON = 2, 2, 6, 0


@dataclass(frozen=True)
class Request:
    """An A-ASSOCIATE-RQ.

    :param proposals: by their number, odd, from 1 to 255.
    :param max_pdu: longest P-DATA-TF that the requestor takes; 0 is no limit.
    :param roles: by SOP class, what the requestor wants to be: see :func:`airlock.dicomio.wire.items.roles_of`.
    """

    called: str
    calling: str
    proposals: Mapping[int, Proposal]
    max_pdu: int
    roles: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Acceptance:
    """An A-ASSOCIATE-AC.

    :param answers: by the number of the proposal.
    :param roles: by SOP class, those of the requestor that are accepted; made, and never read.
    """

    answers: Mapping[int, Answer]
    max_pdu: int
    roles: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejection:
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int

    @property
    def words(self) -> str:
        """What it says."""
        return _REASONS.get((self.source, self.reason), f"source {self.source}, reason {self.reason}")


_REASONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}


def encode_request(request: Request) -> bytes:
    """Return the PDU."""
    contexts = (parts.proposed(number, proposal) for number, proposal in request.proposals.items())
    return _associate(ASSOCIATE_RQ, request.called, request.calling, contexts, request.max_pdu)


def encode_acceptance(request: Request, acceptance: Acceptance) -> bytes:
    """Return the PDU that answers a request."""
    contexts = (parts.answered(number, answer) for number, answer in acceptance.answers.items())
    return _associate(ASSOCIATE_AC, request.called, request.calling, contexts, acceptance.max_pdu, acceptance.roles)


def encode_rejection(rejection: Rejection) -> bytes:
    """Return the PDU."""
    return HEAD.pack(ASSOCIATE_RJ, 4) + bytes((0, rejection.result, rejection.source, rejection.reason))


def encode_abort(source: int, reason: int) -> bytes:
    """Return the PDU."""
    return HEAD.pack(ABORT, 4) + bytes((0, 0, source, reason))


def encode_release(kind: int) -> bytes:
    """Return an A-RELEASE-RQ or -RP."""
    return HEAD.pack(kind, 4) + bytes(4)


def p_data_head(context: int, flags: int, size: int) -> bytes:
    """Return what comes before the bytes of a P-DATA-TF with one fragment.

    :param size: number of these bytes.
    """
    return HEAD.pack(P_DATA, size + 6) + PDV_HEAD.pack(size + 2, context, flags)


def decode_request(body: memoryview) -> Request:
    """Take an A-ASSOCIATE-RQ apart, without its first six bytes.

    :raises Malformed: when it is none.
    """
    called, calling, content = _frame(body)
    proposals: dict[int, Proposal] = {}
    max_pdu, roles = 0, {}
    for kind, value in parts.items(content):
        if kind == parts.PROPOSED_CONTEXT:
            number, proposal = parts.proposal_of(value)
            if number in proposals:
                raise Malformed("two presentation contexts have the same number")
            proposals[number] = proposal
        elif kind == parts.USER_INFORMATION:
            max_pdu, roles = parts.max_pdu_of(value), parts.roles_of(value)
    return Request(called, calling, proposals, max_pdu, roles)


def decode_acceptance(body: memoryview) -> Acceptance:
    """Take an A-ASSOCIATE-AC apart.

    :raises Malformed: when it is none.
    """
    _, _, content = _frame(body)
    answers: dict[int, Answer] = {}
    max_pdu = 0
    for kind, value in parts.items(content):
        if kind == parts.ANSWERED_CONTEXT:
            number, answer = parts.answer_of(value)
            answers[number] = answer
        elif kind == parts.USER_INFORMATION:
            max_pdu = parts.max_pdu_of(value)
    return Acceptance(answers, max_pdu)


def decode_rejection(body: memoryview) -> Rejection:
    """Take an A-ASSOCIATE-RJ apart.

    :raises Malformed: when it is not four bytes.
    """
    if len(body) != 4:
        raise Malformed("a rejection is not four bytes long")
    return Rejection(*body[1:4])


def fragments(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield context, message control header and bytes of each fragment of a P-DATA-TF (PS3.8 section 9.3.5.1).

    :raises Malformed: when one is not whole.
    """
    position, end = 0, len(body)
    if not end:
        raise Malformed("a P-DATA-TF holds nothing")
    while position < end:
        if position + 6 > end:
            raise Malformed("a fragment is cut short")
        length, context, flags = PDV_HEAD.unpack_from(body, position)
        stop = position + 4 + length
        if length < 2 or stop > end:
            raise Malformed("a fragment has no valid length")
        yield context, flags, body[position + 6 : stop]
        position = stop


def _frame(body: memoryview) -> tuple[str, str, bytes]:
    if len(body) < _ASSOCIATE.size:
        raise Malformed("an association PDU is cut short")
    version, called, calling = _ASSOCIATE.unpack_from(body)
    if not version & 1:
        raise Malformed("its protocol version is not the one there is")
    return _title(called), _title(calling), bytes(body[_ASSOCIATE.size :])


def _title(raw: bytes) -> str:
    return raw.decode("latin-1").strip(" \0")


def _associate(
    kind: int,
    called: str,
    calling: str,
    contexts: Iterator[bytes],
    max_pdu: int,
    roles: Mapping[str, bytes] | None = None,
) -> bytes:
    titles: Sequence[bytes] = [title.encode("latin-1", "replace").ljust(16)[:16] for title in (called, calling)]
    body = _ASSOCIATE.pack(1, *titles) + parts.application_context() + b"".join(contexts)
    body += parts.user_information(max_pdu, roles)
    return HEAD.pack(kind, len(body)) + body
