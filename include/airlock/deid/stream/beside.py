"""What values beside an element say of it: those of a content item, and the coding scheme of a code.

They are only looked at where nothing can be misread, and where the plain engine's looking leaves the bytes as they
are; everything else is left to it.
"""

from __future__ import annotations

import re
import struct

from airlock.deid.concepts import ANIMALS, CONTENT_SEQUENCES
from airlock.deid.decide import Context, Decider, Decision
from airlock.deid.items import value_action
from airlock.dicomio.head import LONG_VRS, SHORT_VRS, UNDEFINED, Irregular, end_of_sequence
from airlock.tuples import NamedTuple

_tag = struct.Struct("<HH").unpack_from
_short = struct.Struct("<H").unpack_from
_long = struct.Struct("<I").unpack_from
# What every reader reads as the same text in every character set, and writes again as the same bytes.
_PLAIN = re.compile(rb"(?:[!-<>-\[\]_-}](?:[ -<>-\[\]_-}]*[!-<>-\[\]_-}])?)? ?")


class Siblings(Exception):
    """What becomes of an element depends on values beside it that the walk cannot tell for certain."""


class Beside(NamedTuple):
    """What is known of an item, where decisions ask for values beside an element.

    :param kind: ValueType of a content item.
    :param action: that its concept asks for, see :func:`airlock.deid.items.item_action`.
    :param own_code: it is a code of a scheme that others than standards bodies fill.
    """

    kind: str = ""
    action: str | None = None
    own_code: bool = False

    def decide(self, decider: Decider, decision: Decision, context: Context, tag: int) -> Decision:
        """Decide again, knowing this; as the plain engine does with the dataset."""
        keyword = decision.keyword
        known_here = decision.rule is None and not tag & 0x10000 and tag >> 24 != 0x60
        if not decision.needs_dataset or not known_here or keyword in ANIMALS or keyword in CONTENT_SEQUENCES:
            return decision
        action = value_action(self.action, self.kind, keyword)
        if action is None and self.own_code and decision.letter == "K" and keyword.endswith("Meaning"):
            action = "C"
        return (
            decision._replace(needs_dataset=False) if action is None else decider.revise(decision, action, context, tag)
        )


def look(data: bytes, tags: frozenset[int], *, implicit: bool) -> dict[int, bytes]:
    """Return the elements of an item that have these tags, as they are encoded.

    :raises Siblings: when something in the item is not as it should be.
    """
    found: dict[int, bytes] = {}
    position, last, end = 0, -1, len(data)
    try:
        while position < end:
            group, number = _tag(data, position)
            tag = group << 16 | number
            stop = _end(data, position, end, implicit=implicit)
            if tag <= last or stop > end or group == 0xFFFE:
                raise Siblings
            if tag in tags:
                found[tag] = data[position:stop]
            position, last = stop, tag
    except (Irregular, struct.error):
        raise Siblings from None
    return found


def _end(data: bytes, position: int, end: int, *, implicit: bool) -> int:
    vr = data[position + 4 : position + 6]
    if not implicit and vr in SHORT_VRS:
        return position + 8 + int(_short(data, position + 6)[0])
    if not implicit and vr not in LONG_VRS:
        raise Siblings
    start = position + (8 if implicit else 12)
    length = int(_long(data, start - 4)[0])
    if length != UNDEFINED:
        return start + length
    if not implicit and vr != b"SQ":
        raise Siblings
    return end_of_sequence(data, start, end, implicit=implicit)


def text_of(element: bytes | None, vrs: tuple[bytes, ...], *, implicit: bool) -> str:
    """Return the value of an element of text; empty where there is none.

    :param vrs: that it may have; all with lengths of 16 bits.
    :raises Siblings: when it has another one, no value, several, or one that could be read in more ways than one.
    """
    if element is None:
        return ""
    value = element[8:]
    if (not implicit and element[4:6] not in vrs) or not value or len(value) % 2 or not _PLAIN.fullmatch(value):
        raise Siblings
    return value.rstrip(b" ").decode()


def sequence_body(element: bytes, *, implicit: bool) -> bytes:
    """Return the items of a sequence, without its delimiter.

    :raises Siblings: when it is not encoded as one.
    """
    start = 8 if implicit else 12
    if not implicit and element[4:8] != b"SQ\0\0":
        raise Siblings
    undefined = int(_long(element, start - 4)[0]) == UNDEFINED
    return element[start : -8 if undefined else None]
