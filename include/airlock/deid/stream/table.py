"""What the walk looks up for every element: where its value ends, and what to do with it."""

from __future__ import annotations

import struct
from collections.abc import Callable

from airlock.deid.decide import NUMERIC_VRS, TOP, Context, Decider, Decision
from airlock.deid.stream.beside import Beside
from airlock.deid.stream.values import encode_element
from airlock.deid.values import dummy
from airlock.dicomio.head import LONG_VRS, SHORT_VRS, Irregular
from airlock.identity.stream_walk import KEYS, may_tell
from airlock.identity.uids import is_structural
from airlock.tuples import NamedTuple
from airlock.typed import Any, Final

_group_and_element = struct.Struct("<HH").unpack_from
_short = struct.Struct("<H").unpack_from
_long = struct.Struct("<I").unpack_from
_MOST_KEPT_BYTES = 8 << 20
PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_DIRECTORY = 0x00041220
# PrivateDataElementCharacteristicsSequence must fit the private elements that stay.
_DECLARATION = 0x00080300
_SHORT_BASE = 8
_ASCII = ("iso8859",)
MISSING: Final = b"?"
"""What a memo says of what it does not know: no element is that short."""


# What the walk does with an element. Plain numbers: members of an enumeration take three times as long to compare.
LOOK: Final = 0
"""Look up what becomes of it, by its bytes."""
DROP: Final = 1
TAKE: Final = 2
"""Hand it to whoever asked for it, instead of writing it."""
STOP: Final = 3
"""Pixel data."""


# How values are judged that stay unless they are something else than they should be, or hold an identifier.
ALONE: Final = 0
"""Each by the rewriter."""
NUMERIC: Final = 1
"""Strings of numbers (DS, IS)."""
TIME: Final = 2
"""Times of day (TM)."""
BINARY: Final = 3
"""Binary numbers."""
UID: Final = 4
"""UIDs that are mapped, unless they are registered."""


class Plan(NamedTuple):
    """What to do with the elements that begin with the same tag and VR.

    :param unpack: reads the length,
    :param at: so many bytes from the element's start.
    :param base: where its value starts.
    :param sort: how its values are judged.
    :param constant: what all of them become, whatever their values are.
    :param tells: whether it may say something of the patient.
    """

    tag: int
    unpack: Callable[[bytes, int], tuple[int, ...]]
    at: int
    base: int
    act: int
    decision: Decision
    tells: bool
    sort: int
    constant: bytes | None


class Memo(dict[bytes, bytes | None]):
    """What became of elements that were seen before, by all of their bytes; None where they stay as they are.

    It forgets everything when it has grown too large: memory must not grow with the number of instances.
    """

    __slots__ = ("_size",)

    def __init__(self) -> None:
        super().__init__()
        self._size = 0

    def note(self, element: bytes, new: bytes | None) -> None:
        """Remember what became of an element."""
        self._size += len(element) + len(new or b"") + 150
        if self._size > _MOST_KEPT_BYTES:
            self.clear()
            self._size = len(element)
        self[element] = new


class Table:
    """Plans and memo of the elements that stand at one place.

    :param taken: tags that somebody asked for; only at the top level.
    :param beside: what is known of the values beside the elements.
    :param telling: somebody is told of elements that may say something of the patient.
    """

    __slots__ = (
        "_beside",
        "_decider",
        "_implicit",
        "_taken",
        "_telling",
        "context",
        "items",
        "memo",
        "plans",
        "shapes",
    )

    def __init__(
        self,
        decider: Decider,
        context: Context,
        taken: frozenset[int],
        *,
        implicit: bool,
        beside: Beside | None = None,
        telling: bool = False,
    ) -> None:
        self.context, self._beside, self._telling = context, beside, telling
        self.plans: dict[bytes, Plan] = decider.plans.setdefault((context, taken, implicit, beside, telling), {})
        # Of items; in these, too, is nothing of a patient's.
        self.shapes: dict[int, Any] = decider.plans.setdefault(("shapes", context, implicit, beside, telling), {})
        self.memo = Memo()
        self.items = Memo()
        self._decider, self._taken, self._implicit = decider, taken, implicit

    def plan(self, head: bytes) -> Plan:
        """Make the plan for elements that begin with these bytes.

        :raises Irregular: when they begin no element, or one that only the other engine understands.
        """
        if len(head) < (4 if self._implicit else 6):
            raise Irregular
        group, element = _group_and_element(head)
        tag = group << 16 | element
        layout: tuple[Any, int, int] = (_long, 4, 8)
        vr = None
        if not self._implicit:
            if head[4:6] not in SHORT_VRS and head[4:6] not in LONG_VRS:
                raise Irregular
            layout = (_long, 8, 12) if head[4:6] in LONG_VRS else (_short, 6, 8)
            vr = head[4:6].decode()
        if group == 0xFFFE or tag == _DIRECTORY:
            raise Irregular
        decision = self._decider.decide(self.context, tag, vr)
        if self._beside is not None:
            decision = self._beside.decide(self._decider, decision, self.context, tag)
        if tag == _DECLARATION and decision.letter != "X":
            raise Irregular
        # What tells the patient and the study is compared in every file.
        tells = self._telling and may_tell(tag, vr) and not (self.context == TOP and tag in KEYS)
        constant = self._constant(tag, decision) if layout[2] == _SHORT_BASE else None
        sort = _sort(tag, decision) if layout[2] == _SHORT_BASE else ALONE
        act = self._act(tag, decision, tells=tells)
        plan = self.plans[head] = Plan(tag, *layout, act, decision, tells, sort, constant)
        return plan

    def _constant(self, tag: int, decision: Decision) -> bytes | None:
        """Return what elements become whose values do not count: empty, or a dummy in all character sets the same."""
        if decision.letter not in ("D", "Z") or decision.needs_dataset or decision.hold:
            return None
        if decision.vr in ("SQ", "UI", "UN"):
            return None
        value = dummy(tag, decision.vr, decision.keyword) if decision.letter == "D" else None
        return encode_element(tag, decision.vr, value, _ASCII, implicit=self._implicit)

    def _act(self, tag: int, decision: Decision, *, tells: bool) -> int:
        if tag in PIXEL_TAGS and not self.context.parent:
            return STOP
        if tag in self._taken:
            return TAKE
        return DROP if decision.letter == "X" and not decision.needs_dataset and not tells else LOOK


def _sort(tag: int, decision: Decision) -> int:
    if decision.rule is not None or decision.needs_dataset or decision.hold:
        return ALONE
    letter, vr = decision.letter, decision.vr
    if vr == "UI":
        return UID if letter in ("U", "D") and not is_structural(tag) else ALONE
    if vr == "TM":
        return TIME if letter in ("K", "S") else ALONE
    if letter != "K":
        return ALONE
    return NUMERIC if vr in ("DS", "IS") else BINARY if vr in NUMERIC_VRS else ALONE
