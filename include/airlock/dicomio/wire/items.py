"""The variable items of association PDUs (PS3.8 sections 9.3.2 and 9.3.3), made and taken apart."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from airlock.dicomio.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT, PROPOSED_CONTEXT, ANSWERED_CONTEXT = 0x10, 0x20, 0x21
ABSTRACT_SYNTAX, TRANSFER_SYNTAX, USER_INFORMATION, MAXIMUM_LENGTH = 0x30, 0x40, 0x50, 0x51
_IMPLEMENTATION_CLASS, _ROLES, _IMPLEMENTATION_VERSION = 0x52, 0x54, 0x55
_DICOM = b"1.2.840.10008.3.1.1.1"  # PS3.7 annex A
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_HEAD = struct.Struct(">BxH")
_LENGTH = struct.Struct(">H")
ACCEPTED, ABSTRACT_SYNTAX_REFUSED, TRANSFER_SYNTAXES_REFUSED = 0, 3, 4  # PS3.8 table 9-18


class Malformed(Exception):
    """The bytes are not what the protocol has at this place. The text says what, without any of them."""


@dataclass(frozen=True)
class Proposal:
    """A presentation context that is proposed: what for, and in which encodings."""

    abstract_syntax: str
    transfer_syntax: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What becomes of a proposal.

    :param result: 0 accepted, else why not (PS3.8 table 9-18).
    :param transfer_syntax: the one that was chosen; it has no meaning when the proposal was not accepted.
    """

    result: int
    transfer_syntax: str


def item(kind: int, content: bytes) -> bytes:
    """Return an item."""
    return _HEAD.pack(kind, len(content)) + content


def items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Take items apart.

    :raises Malformed: when one is not whole.
    """
    position = 0
    while position < len(data):
        if position + 4 > len(data):
            raise Malformed("an item is cut short")
        kind, length = _HEAD.unpack_from(data, position)
        position += 4
        if position + length > len(data):
            raise Malformed("an item is longer than what holds it")
        yield kind, data[position : position + length]
        position += length


def uid_of(content: bytes) -> str:
    """Return a UID (PS3.8 annex F; some pad it, as in a dataset).

    :raises Malformed: when it is none.
    """
    text = content.decode("latin-1").strip(" \0")
    if len(text) > 64 or not _UID.fullmatch(text):
        raise Malformed("a UID has characters that no UID has, or more than 64")
    return text


def application_context() -> bytes:
    """Return the item that names DICOM."""
    return item(APPLICATION_CONTEXT, _DICOM)


def user_information(max_pdu: int, roles: Mapping[str, bytes] | None = None) -> bytes:
    """Return the item that says how long a P-DATA-TF we take may be, and who we are (PS3.8 annex D.1).

    :param roles: by SOP class, the roles of the requestor that were selected (PS3.7 annex D.3.3.4).
    """
    return item(
        USER_INFORMATION,
        item(MAXIMUM_LENGTH, struct.pack(">L", max_pdu))
        + item(_IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode())
        + b"".join(item(_ROLES, _LENGTH.pack(len(uid)) + uid.encode() + flags) for uid, flags in (roles or {}).items())
        + item(_IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME.encode()),
    )


def max_pdu_of(content: bytes) -> int:
    """Return the length that a user information item names; 0, no limit, when it names none.

    :raises Malformed: when it is not four bytes.
    """
    for kind, value in items(content):
        if kind == MAXIMUM_LENGTH:
            if len(value) != 4:
                raise Malformed("a maximum length is not four bytes long")
            return int.from_bytes(value, "big")
    return 0


def roles_of(content: bytes) -> dict[str, bytes]:
    """Return the roles that a user information item proposes: two bytes, as user and as provider, by SOP class.

    :raises Malformed: when one is not whole.
    """
    found: dict[str, bytes] = {}
    for kind, value in items(content):
        if kind == _ROLES:
            if len(value) < 4 or len(value) != _LENGTH.unpack_from(value)[0] + 4:
                raise Malformed("a role selection is not whole")
            found[uid_of(value[2:-2])] = value[-2:]
    return found


def proposed(identifier: int, proposal: Proposal) -> bytes:
    """Return the item that proposes a context (PS3.8 section 9.3.2.2)."""
    syntaxes = b"".join(item(TRANSFER_SYNTAX, uid.encode()) for uid in proposal.transfer_syntax)
    content = bytes((identifier, 0, 0, 0)) + item(ABSTRACT_SYNTAX, proposal.abstract_syntax.encode()) + syntaxes
    return item(PROPOSED_CONTEXT, content)


def proposal_of(content: bytes) -> tuple[int, Proposal]:
    """Read what :func:`proposed` makes.

    :raises Malformed: when it is not whole.
    """
    identifier = _identifier(content)
    abstract: list[str] = []
    syntaxes: list[str] = []
    for kind, value in items(content[4:]):
        if kind == ABSTRACT_SYNTAX:
            abstract.append(uid_of(value))
        elif kind == TRANSFER_SYNTAX:
            syntaxes.append(uid_of(value))
    if len(abstract) != 1 or not syntaxes:
        raise Malformed("a presentation context has no abstract or no transfer syntax")
    return identifier, Proposal(abstract[0], tuple(syntaxes))


def answered(identifier: int, answer: Answer) -> bytes:
    """Return the item that answers a proposal (PS3.8 section 9.3.3.2)."""
    syntax = item(TRANSFER_SYNTAX, answer.transfer_syntax.encode())
    return item(ANSWERED_CONTEXT, bytes((identifier, 0, answer.result, 0)) + syntax)


def answer_of(content: bytes) -> tuple[int, Answer]:
    """Read what :func:`answered` makes.

    :raises Malformed: when it is not whole, or accepts without a transfer syntax.
    """
    identifier, result = _identifier(content), content[2]
    if result != ACCEPTED:
        return identifier, Answer(result, "")
    syntaxes: Sequence[str] = [uid_of(value) for kind, value in items(content[4:]) if kind == TRANSFER_SYNTAX]
    if len(syntaxes) != 1:
        raise Malformed("a presentation context is accepted without its transfer syntax")
    return identifier, Answer(result, syntaxes[0])


def _identifier(content: bytes) -> int:
    if len(content) < 4 or content[0] % 2 == 0:
        raise Malformed("a presentation context has no valid number")
    return content[0]
