"""Which walk a file needs: one for each SOP class, character set and encoding of a patient's files."""

from __future__ import annotations

import struct

from airlock.deid.basis import Basis
from airlock.deid.stream.series import Series
from airlock.deid.stream.stamping import CHARACTER_SET, CLASS, MOST_KEPT, NONE
from airlock.deid.stream.stamps import Stamps
from airlock.deid.stream.walk import Walk
from airlock.deid.stream.walked import Walked
from airlock.dicomio.charsets import plain_encoding
from airlock.dicomio.head import Head, Irregular, More
from airlock.identity.stream import Teller
from airlock.tuples import NamedTuple

_PEEKED_BYTES = 256


class Course(NamedTuple):
    """A walk, with what stamps what it comes to, and the layouts of the files it was taken over."""

    walk: Walk
    stamps: Stamps
    series: Series


class Walks:
    """The walks over a patient's files.

    :param taken: tags of what is asked for at the top level, ascending.
    :param telling: whether tellers are told of what says something of the patient.
    """

    def __init__(self, basis: Basis, taken: tuple[int, ...], *, telling: bool) -> None:
        self._basis, self._taken, self._telling = basis, taken, telling
        self._known: dict[tuple[bool, bytes, bytes], Course] = {}

    def likely(self, head: Head, teller: Teller | None) -> Course:
        """Return the walk that a file most likely needs, ready for it."""
        return self._of(head, *_peek(head), teller)

    def over(self, head: Head, teller: Teller | None) -> tuple[Course, Walked]:
        """Walk over a header, again when its class or its character set is not where they usually are.

        :raises Irregular: when the file must be left to the plain engine.
        :raises InstanceNotUnderstood: when it must be held.
        """
        guess = _peek(head)
        for _ in range(2):
            course = self._of(head, *guess, teller)
            walked = _walk_whole(course.walk, head)
            found = (walked.values.get(CLASS, b""), walked.taken.get(CHARACTER_SET, NONE)[0])
            if found == guess:
                return course, walked
            guess = found
        raise Irregular

    def _of(self, head: Head, sop_class: bytes, character_set: bytes, teller: Teller | None) -> Course:
        key = head.implicit, sop_class, character_set
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            encodings = _encodings(character_set, implicit=head.implicit)
            class_uid = sop_class.decode("latin-1").strip(" \0")
            walk = Walk(self._basis, class_uid, encodings, self._taken, implicit=head.implicit, telling=self._telling)
            found = self._known[key] = Course(walk, Stamps(encodings, implicit=head.implicit), Series(walk))
        found.walk.unreadable_dates, found.walk.teller = 0, teller
        return found


def _peek(head: Head) -> tuple[bytes, bytes]:
    """Return what are probably the value of SOPClassUID, and SpecificCharacterSet with its tag."""
    data, sop_class, character_set = head.data, b"", b""
    layout, length_at = (b"", 4) if head.implicit else (b"UI", 6)
    start = data.find(b"\x08\0\x16\0" + layout, head.start, head.start + _PEEKED_BYTES)
    if start >= 0:
        sop_class = data[start + 8 : start + 8 + data[start + length_at]]
    layout = b"" if head.implicit else b"CS"
    start = data.find(b"\x08\0\x05\0" + layout, head.start, head.start + _PEEKED_BYTES)
    if start >= 0:
        character_set = data[start : start + 8 + data[start + length_at]]
    return sop_class, character_set


def _walk_whole(walk: Walk, head: Head) -> Walked:
    while True:
        try:
            return walk.top(head.data, head.start)
        except (More, struct.error):
            head.grow()


def _encodings(character_set: bytes, *, implicit: bool) -> list[str]:
    if (usual := plain_encoding(character_set[8:])) is not None:
        return [usual]
    from airlock.dicomio.declared import declared_encodings  # noqa: PLC0415 - it imports pydicom; few files need it

    return declared_encodings(character_set, implicit=implicit)
