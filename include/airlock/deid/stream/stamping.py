"""What every object of a patient carries: checked once, stamped once, for all objects that are alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable

from airlock.deid.stream.stamps import Stamps, touched_by
from airlock.deid.stream.values import element_header
from airlock.deid.stream.walked import Walked
from airlock.dicomio.head import Irregular
from airlock.typed import Any

NONE = (b"", b"")
CHARACTER_SET, CLASS, INSTANCE = 0x00080005, 0x00080016, 0x00080018
UIDS = (CLASS, INSTANCE, 0x0020000D, 0x0020000E)
"""Tags of what says which object it is, of which study and series."""
MOST_KEPT = 32
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID = 64
_SOME_UID = "1.2"
# Tags that checks and stamps touch, of the few that there are in a program.
_touched: dict[Hashable, tuple[frozenset[int], frozenset[int]]] = {}


class Stamping:
    """Checks and stamps objects; the parameters are those of :class:`airlock.deid.stream.file.Streamer`.

    `taken` are the tags of all that is asked for, ascending; `stamped` those that may be written over.
    """

    def __init__(
        self, check: Callable[[Any], None], stamp: Callable[[Any, bool], None], keys: tuple[int, ...], alike: Hashable
    ) -> None:
        self._check, self._keys = check, keys
        self._stamp = {rewritten: _with(stamp, rewritten) for rewritten in (False, True)}
        touched = _touched.get(alike) if alike is not None else None
        if touched is None:
            touched = touched_by(check), touched_by(*self._stamp.values())
            if len(_touched) >= MOST_KEPT:
                _touched.clear()
            if alike is not None:
                _touched[alike] = touched
        self._checked, self.stamped = touched[0], touched[1] | {CHARACTER_SET}
        self.taken = tuple(sorted(self._checked | self.stamped | {*UIDS, *keys}))
        self._order = tuple(sorted(self.stamped))
        self._known: dict[object, dict[int, bytes]] = {}
        # What the check looks at but for which instance it is, as it was in objects that passed.
        self._asked_of = tuple(sorted(self._checked.difference(UIDS[1:])))
        self._fine: set[tuple[tuple[bytes, ...], bool]] = set()

    def check(self, walked: Walked, stamps: Stamps) -> None:
        """Check that an object says which one it is.

        :raises Irregular: when it does not say so as it should.
        :raises InstanceNotUnderstood: when it must be held.
        """
        for tag in UIDS:
            if not is_uid(walked.values.get(tag, b"").strip(b" \0")):
                raise Irregular
        seen = tuple([walked.taken.get(tag, NONE)[0] for tag in self._asked_of])
        if (seen, stamps.implicit) in self._fine:
            return
        some = _SOME_UID.encode() + b"\0"
        elements = {tag: walked.taken.get(tag, NONE)[0] for tag in self._checked}
        # Which instance it is doesn't count, and the outcome is then the same for all of a series.
        for tag in UIDS[1:]:
            elements[tag] = element_header(tag, b"UI", len(some), implicit=stamps.implicit) + some
        stamps.apply(elements, self._check, "check")
        if len(self._fine) < MOST_KEPT:
            self._fine.add((seen, stamps.implicit))

    def elements(self, walked: Walked, stamps: Stamps, *, pixels_rewritten: bool) -> dict[int, bytes]:
        """Return the elements that may be written over, as they are to be written."""
        taken = walked.taken.get
        key = pixels_rewritten, stamps.implicit, tuple([taken(tag, NONE) for tag in self._order])
        stamped = self._known.get(key)
        if stamped is None:
            elements = {tag: taken(tag, NONE)[1] for tag in self.stamped}
            stamped = stamps.apply(elements, self._stamp[pixels_rewritten], pixels_rewritten)
            if elements[CHARACTER_SET] != taken(CHARACTER_SET, NONE)[0]:
                raise Irregular
            if len(self._known) > MOST_KEPT:
                self._known.clear()
            self._known[key] = stamped
        return stamped

    def keys_of(self, walked: Walked) -> tuple[bytes, ...]:
        """Return the elements that tell the patient and the study."""
        return tuple([walked.taken.get(tag, NONE)[0] for tag in self._keys])


def _with(stamp: Callable[[Any, bool], None], rewritten: bool) -> Callable[[Any], None]:
    return lambda dataset: stamp(dataset, rewritten)


def is_uid(value: bytes) -> bool:
    """Whether a value is a UID (PS3.5 section 9.1)."""
    return len(value) <= _LONGEST_UID and _UID.fullmatch(value) is not None


def new_uids(walked: Walked) -> tuple[str, str, str, str]:
    """Return what the UIDs of an object became.

    :raises Irregular: when one is none.
    """
    one, two, three, four = (new_uid(walked.taken[tag][1]) for tag in UIDS)
    return one, two, three, four


def new_uid(element: bytes) -> str:
    """Return the UID of an element.

    :raises Irregular: when it is none.
    """
    value = element[8:].rstrip(b" \0")
    if not _UID.fullmatch(value):
        raise Irregular
    return value.decode()
