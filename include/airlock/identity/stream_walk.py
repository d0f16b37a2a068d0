"""The walk of the fast harvest over the bytes of a header, and what it remembers of a patient's study."""

from __future__ import annotations

import struct
from collections.abc import Callable

from airlock.dicomio.charsets import plain_encoding
from airlock.dicomio.dictionary import keyword_of
from airlock.dicomio.head import (
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Head,
    Irregular,
    More,
    end_of_sequence,
)
from airlock.identity import harvest as plain
from airlock.identity.harvest import Evidence
from airlock.identity.uids import is_structural
from airlock.tuples import NamedTuple
from airlock.typed import Any, Final

_group_and_element = struct.Struct("<HH").unpack_from
_tag_and_length = struct.Struct("<II").unpack_from
_short = struct.Struct("<H").unpack_from
_long = struct.Struct("<I").unpack_from
_ITEM = 0xE000FFFE
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_CHARACTER_SET = 0x00080005
# What tells the patient and the study; evidence that was told of one counts for no other.
KEYS = (_CHARACTER_SET, 0x00100020, 0x00100021, 0x0020000D)
_NAMED = plain.NUMBERS | plain.PHRASES | plain.PHONES | plain.NAMES
_DEEPEST = 32
# Walking over a sequence twice takes longer than what is gained, when it holds the frames of an object.
_LONG_BYTES = 16 << 10
Key = tuple[bytes, ...]


# What the harvest does with an element.
_SKIP: Final = 0
_READ: Final = 1
_ENTER: Final = 2
_STOP: Final = 3


class Plan(NamedTuple):
    """What to do with the elements that begin with the same tag and VR; as in the engine's walk."""

    tag: int
    unpack: Callable[[bytes, int], tuple[int, ...]]
    at: int
    base: int
    act: int
    vr: str


class Value(NamedTuple):
    """An encoded value, as the plain harvest asks for it."""

    value: bytes


class Told:
    """What was told of one patient's study: elements by all of their bytes."""

    def __init__(self, key: Key, *, implicit: bool) -> None:
        self.key, self.implicit = key, implicit
        self.elements: set[bytes] = set()
        values = [element[8:] for element in key]
        usual = plain_encoding(values[0])
        short = implicit or all(element[4:6] in SHORT_VRS for element in key if element)
        if usual is None or not short:
            from airlock.identity.told import declared  # noqa: PLC0415 - it imports pydicom; few files need it

            self.encodings, self.source = declared(b"".join(key), implicit=implicit)
            return
        self.encodings = [usual]
        patient, issuer, study = (
            next(iter(plain.texts(Value(value), "LO", self.encodings)), "") for value in values[1:]
        )
        self.source = plain.source(patient, issuer, study)


class OtherStudy(Exception):
    """The file is of another patient's study than what was told is compared with."""


class HarvestWalk:
    """One walk over one file.

    :param expected: what tells the patient and the study that `told` is of.
    :param inside: elements are from inside of sequences.
    :param shallow: long sequences are left out.
    """

    def __init__(
        self,
        plans: dict[bytes, Plan],
        told: Told,
        expected: Key,
        *,
        implicit: bool,
        inside: bool = False,
        shallow: bool = False,
    ) -> None:
        self._plans, self._implicit, self._expected = plans, implicit, expected
        self._known, self._encodings = told.elements, told.encodings
        self.evidence = Evidence()
        self.keys: dict[int, bytes] = {}
        self.new: set[bytes] = set()
        self._depth, self._shallow = int(inside), shallow

    @property
    def key(self) -> Key:
        """What tells the patient and the study, as far as it was met."""
        return tuple(self.keys.get(tag, b"") for tag in KEYS)

    def whole(self, head: Head) -> int:
        """Walk up to the pixel data; return where that is.

        :raises OtherStudy: when the study turns out not to be the expected one; all of the key is known then.
        """
        while True:
            try:
                return self.elements(head.data, head.start)
            except (More, struct.error):
                head.grow()

    def elements(self, data: bytes, position: int, last: int = -1) -> int:
        """Walk over elements; return where the pixel data is, or the end.

        :param last: tag before the first one.
        :raises More: when an element does not end in these bytes.
        :raises Irregular: when the file must be left to the plain harvest.
        """
        width, end = 4 if self._implicit else 6, len(data)
        plans, known = self._plans.get, self._known
        while position < end:
            plan = plans(data[position : position + width]) or self._plan(data[position : position + width])
            tag, unpack, at, base, act, _ = plan
            if tag <= last:
                raise Irregular
            last = tag
            if act == _STOP:
                if not self._depth:
                    return position
                act = _SKIP
            stop = position + base + unpack(data, position + at)[0]
            if stop > end:
                stop = self._end(plan, data, position, end)
            if act == _ENTER and self._shallow and stop - position > _LONG_BYTES:
                act = _SKIP
            if act and (element := data[position:stop]) not in known:
                self._read(plan, element)
            position = stop
        return position

    def _plan(self, head: bytes) -> Plan:
        if len(head) < (4 if self._implicit else 6):
            raise More
        group, number = _group_and_element(head)
        tag = group << 16 | number
        layout: tuple[Any, int, int] = (_long, 4, 8)
        encoded = None
        if not self._implicit:
            if head[4:6] not in SHORT_VRS and head[4:6] not in LONG_VRS:
                raise Irregular
            layout = (_long, 8, 12) if head[4:6] in LONG_VRS else (_short, 6, 8)
            encoded = head[4:6].decode()
        if group == 0xFFFE:
            raise Irregular
        vr = plain.vr_named(tag, encoded)
        plan = self._plans[head] = Plan(tag, *layout, _act(tag, vr), vr)
        return plan

    def _end(self, plan: Plan, data: bytes, position: int, end: int) -> int:
        if position + plan.base > end or plan.unpack(data, position + plan.at)[0] != UNDEFINED:
            raise More
        if plan.vr != "SQ" or (not self._implicit and data[position + 4 : position + 6] != b"SQ"):
            raise Irregular
        return end_of_sequence(data, position + plan.base, end, implicit=self._implicit)

    def _read(self, plan: Plan, element: bytes) -> None:
        if plan.act == _ENTER:
            if not self._implicit and element[4:6] != b"SQ":
                raise Irregular
            undefined = plan.unpack(element, plan.at)[0] == UNDEFINED
            self._items(element[plan.base : -8 if undefined else None])
        else:
            value = element[plan.base :]
            if plan.tag in KEYS:
                if self._depth and plan.tag == _CHARACTER_SET:
                    raise Irregular
                if not self._depth:
                    self.keys[plan.tag] = element
                    # The last of them, and far before most of what there is to read.
                    if plan.tag == KEYS[-1] and self.key != self._expected:
                        raise OtherStudy
            values = plain.texts(Value(value), plan.vr, self._encodings)
            plain.collect(self.evidence, plan.tag, plan.vr, value, values)
            if plan.tag in KEYS:
                return  # must be seen in every file
        self.new.add(element)

    def _items(self, data: bytes) -> None:
        if self._depth >= _DEEPEST:
            raise Irregular
        self._depth += 1
        position, end = 0, len(data)
        while position < end:
            tag, length = _tag_and_length(data, position)
            if tag != _ITEM:
                raise Irregular
            if length == UNDEFINED:
                stop = end_of_sequence(data, position + 8, end, implicit=self._implicit, item=True)
                item = data[position + 8 : stop - 8]
            else:
                stop = position + 8 + length
                item = data[position + 8 : stop]
            if stop > end or self._item_end(item) != len(item):
                raise Irregular
            position = stop
        self._depth -= 1

    def _item_end(self, item: bytes) -> int:
        try:
            return self.elements(item, 0)
        except (More, struct.error):
            raise Irregular from None


def may_tell(tag: int, vr: str | None) -> bool:
    """Whether elements of this tag may add to the evidence.

    :param vr: as the file encodes it; None in implicit VR.
    """
    return _act(tag, plain.vr_named(tag, vr)) not in (_SKIP, _STOP)


def _act(tag: int, vr: str) -> int:
    if tag in _PIXEL_TAGS:
        return _STOP
    if vr == "SQ":
        return _ENTER
    if tag in KEYS:
        return _READ
    if vr == "UI":
        return _SKIP if is_structural(tag) else _READ
    if vr in ("PN", "DA", "DT"):
        return _READ
    named = not tag & 0x10000 and keyword_of(tag) in _NAMED
    return _READ if named and vr in plain.TEXT_VRS else _SKIP
