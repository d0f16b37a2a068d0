"""Command sets of C-STORE, C-ECHO and N-EVENT-REPORT (PS3.7 sections 9.3.1, 9.3.5, 10.3.1, annex E): implicit VR."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from airlock.dicomio.wire.items import Malformed

MAX_COMMAND_BYTES = 1 << 16
STORE_RQ, STORE_RSP, ECHO_RQ, ECHO_RSP, CANCEL_RQ = 0x0001, 0x8001, 0x0030, 0x8030, 0x0FFF
REPORT_RQ = 0x0100  # N-EVENT-REPORT, PS3.7 section 10.3.1
RESPONSE = 0x8000
UNRECOGNISED_OPERATION = 0x0211  # PS3.7 annex C
_NO_DATASET, _DATASET = 0x0101, 0x0001
_ELEMENT = struct.Struct("<HHL")
_CLASS, _FIELD, _ID, _ANSWERED_ID, _PRIORITY = 0x0002, 0x0100, 0x0110, 0x0120, 0x0700
_DATASET_TYPE, _STATUS, _COMMENT, _INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
_ORIGINATOR, _ORIGINATOR_ID = 0x1030, 0x1031
_MOST_COMMENT = 64


@dataclass(frozen=True, repr=False)
class Command:
    """A command set, as far as C-STORE and C-ECHO need it. Its repr shows no UID.

    :param field: which command it is.
    :param message_id: of the request, also in an answer to it.
    :param has_dataset: whether a dataset follows.
    :param status: None in a request.
    :param comment: Error Comment of an answer, without what cannot be shown. It may quote the dataset.
    :param originator: Move Originator AE Title and Message ID of a C-STORE request, as far as it has them.
    """

    field: int
    message_id: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    has_dataset: bool = False
    status: int | None = None
    comment: str = ""
    originator: tuple[str, int | None] = ("", None)


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Return a C-STORE-RQ of medium priority."""
    return _encode(
        [
            (_CLASS, _uid(sop_class_uid)),
            (_FIELD, _short(STORE_RQ)),
            (_ID, _short(message_id)),
            (_PRIORITY, _short(0)),
            (_DATASET_TYPE, _short(_DATASET)),
            (_INSTANCE, _uid(sop_instance_uid)),
        ]
    )


def answer(request: Command, status: int) -> bytes:
    """Return the answer to a request."""
    elements = [
        (_CLASS, _uid(request.sop_class_uid)),
        (_FIELD, _short(request.field | RESPONSE)),
        (_ANSWERED_ID, _short(request.message_id)),
        (_DATASET_TYPE, _short(_NO_DATASET)),
        (_STATUS, _short(status)),
        (_INSTANCE, _uid(request.sop_instance_uid)),
    ]
    return _encode(element for element in elements if element[1])


def decode(data: bytes) -> Command:
    """Read a command set.

    :raises Malformed: when it is none.
    """
    found = _elements(data)
    field = _number(found, _FIELD)
    is_answer = bool(field & RESPONSE)
    return Command(
        field,
        _number(found, _ANSWERED_ID if is_answer or field == CANCEL_RQ else _ID),
        _text(found, _CLASS),
        _text(found, _INSTANCE),
        _number(found, _DATASET_TYPE) != _NO_DATASET,
        _number(found, _STATUS) if is_answer else None,
        shown_comment(_text(found, _COMMENT)) if is_answer else "",
        ("", None) if is_answer else _originator(found),
    )


def shown_comment(text: str) -> str:
    """Return an Error Comment without control characters, as long as one may be (LO, PS3.5 section 6.2)."""
    return "".join(letter for letter in text if letter.isprintable())[:_MOST_COMMENT].strip()


def _elements(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    position, last = 0, -1
    while position < len(data):
        if position + 8 > len(data):
            raise Malformed("a command set is cut short")
        group, element, length = _ELEMENT.unpack_from(data, position)
        position += 8
        if group or element <= last or position + length > len(data):
            raise Malformed("a command set has an element that is not in order, or not whole")
        found[element] = data[position : position + length]
        position, last = position + length, element
    return found


def _encode(elements: Iterable[tuple[int, bytes]]) -> bytes:
    body = b"".join(_ELEMENT.pack(0, element, len(value)) + value for element, value in elements)
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _short(number: int) -> bytes:
    return struct.pack("<H", number)


def _uid(uid: str) -> bytes:
    raw = uid.encode("latin-1", "replace")
    return raw + b"\0" * (len(raw) % 2)


def _number(found: dict[int, bytes], element: int) -> int:
    raw = found.get(element, b"")
    if len(raw) != 2:
        raise Malformed("a command set lacks a number")
    return int.from_bytes(raw, "little")


def _originator(found: dict[int, bytes]) -> tuple[str, int | None]:
    """Return who asked for an instance, and in which request. What is not valid is no reason to refuse it."""
    raw = found.get(_ORIGINATOR_ID, b"")
    return _text(found, _ORIGINATOR), int.from_bytes(raw, "little") if len(raw) == 2 else None


def _text(found: dict[int, bytes], element: int) -> str:
    return found.get(element, b"").decode("latin-1").strip(" \0")
