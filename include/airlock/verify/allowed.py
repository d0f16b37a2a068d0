"""What may be left of one element, where it stands: by the table, by the project's private elements, by its object."""

from __future__ import annotations

from collections.abc import Callable

from airlock.tuples import NamedTuple
from airlock.verify.iods import types_of
from airlock.verify.place import Place, depends
from airlock.verify.table import DUMMY, EMPTY, KEEP, SAME, Allowance, Table
from airlock.verify.table import NOTHING as NOT_ALLOWED
from airlock.verify.text import entry, vr_of

# What de-identification writes itself; :mod:`airlock.verify.duties` checks their values.
STAMPED = frozenset(
    (
        0x00080080, 0x00100010, 0x00100020, 0x00120010, 0x00120020, 0x00120021, 0x00120040,
        0x00120050, 0x00120051, 0x00120062, 0x00120063, 0x00120064, 0x00200010, 0x00280301, 0x00280303, 0x00080005,
    )
)  # fmt: skip
_KEPT: Allowance = frozenset(("keep",))
_SAME: Allowance = frozenset((KEEP, SAME))
Private = Callable[[tuple[int, ...], int, str], bool]
"""Whether a project keeps a private element: path of sequences, tag, creator."""


class Rule(NamedTuple):
    """What may be left of an element.

    :param vr: as encoded, else from the dictionary.
    :param may_be_empty: whether it may be there without a value: also where the table would remove it, if the object
        must have the attribute.
    :param same: whether the input's value is right as long as it identifies nobody.
    """

    allowed: Allowance
    vr: bytes
    may_be_empty: bool
    same: bool

    def but(self, allowed: Allowance) -> Rule:
        """Return the same with something else allowed."""
        return Rule(allowed, self.vr, self.may_be_empty or bool(allowed), _is_same(allowed))


class Rules:
    """Rules of a project, remembered: none depends on a value, but for private elements and graphics.

    :param private: which private elements may be there; None when none may.
    :param stamped: attributes that de-identification writes besides :data:`STAMPED`.
    """

    def __init__(self, table: Table, private: Private | None = None, stamped: frozenset[int] = frozenset()) -> None:
        self.table = table
        self._private, self._stamped = private, STAMPED | stamped
        self._known: dict[tuple[str, tuple[int, ...], int, bytes], Rule] = {}

    def of(self, sop_class_uid: str, place: Place, tag: int, vr: bytes) -> Rule:
        """Return the rule for an element of an output.

        :param vr: as encoded.
        """
        key = (sop_class_uid, place.path, tag, vr)
        rule = self._known.get(key)
        if rule is None:
            kind = types_of(sop_class_uid, place.path[-1] if place.path else 0).get(tag, "3")
            allowed = self._allowed(place, tag, kind)
            rule = Rule(allowed, vr_of(tag, vr), bool(allowed) or kind in ("2", "2C"), _is_same(allowed))
            if not depends(tag):
                self._known[key] = rule
        return rule

    def _allowed(self, place: Place, tag: int, kind: str) -> Allowance:
        if tag >> 16 & 1:
            return self._private_allowed(place, tag)
        if tag & 0xFFFF == 0:
            return NOT_ALLOWED
        if not place.path and tag in self._stamped:
            return _KEPT
        allowed = self.table.allowed(place.path, tag)
        if not allowed and tag >> 24 in (0x50, 0x60):
            overlay = place.output.value(tag & 0xFFFF0000 | 0x0040) or b""
            return self.table.graphics(tag, overlay.strip(b" \0"))
        if not allowed and entry(tag)[1] and kind in ("1", "1C"):
            # Removing it would break the object: then a meaningless value stands in its place.
            return frozenset((DUMMY,))
        return allowed

    def _private_allowed(self, place: Place, tag: int) -> Allowance:
        if self._private is None:
            return NOT_ALLOWED
        number = tag & 0xFFFF
        raw = place.output.value((tag & 0xFFFF0000) | (number >> 8 if number >= 0x1000 else number))
        creator = (raw or b"").decode("latin-1").strip(" \0")
        if not creator or not self._private(place.path, tag, creator):
            return NOT_ALLOWED
        return self.table.by_vr(place.output.elements[tag].vr)


def _is_same(allowed: Allowance) -> bool:
    return allowed >= _SAME and EMPTY not in allowed
