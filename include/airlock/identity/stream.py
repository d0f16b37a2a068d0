"""Harvesting on the bytes of files: the same evidence as :func:`airlock.identity.harvest.harvest_file`, far faster.

The files of a study repeat themselves. What an element says is told once for all files of the same patient and study,
and an element that was seen before is only compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from airlock.dicomio.head import (
    FIRST_BYTES,
    Head,
    Irregular,
    next_bytes,
    open_head,
)
from airlock.dicomio.pixels import end_of
from airlock.errors import InstanceNotUnderstood
from airlock.identity import harvest as plain
from airlock.identity.harvest import Evidence
from airlock.identity.stream_walk import KEYS, HarvestWalk, Key, OtherStudy, Plan, Told, Value
from airlock.identity.uids import is_registered
from airlock.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MOST_TOLD = 200_000
_MOST_STUDIES = 64


class StreamHarvester:
    """Harvests files one after the other; their evidence counts together.

    What was told of a patient's study is not told again: each result alone may be less than its file says.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[bool, Key], Told] = {}
        self._plans: dict[bool, dict[bytes, Plan]] = {False: {}, True: {}}
        self._last: Key = (b"",) * len(KEYS)
        self.first_bytes = FIRST_BYTES

    def harvest_file(self, path: Path) -> Evidence:
        """Collect what one file adds to the evidence.

        :raises InstanceNotUnderstood: when it cannot be read; it will be held, so that nothing of it goes on.
        :raises OSError: when the file cannot be read.
        """
        try:
            with open_head(path, self.first_bytes) as head:
                return self.harvest_head(head)[0]
        except (InstanceNotUnderstood, OSError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the plain harvest finds it too, or copes with it
            return plain.harvest_file(path)

    def harvest_head(self, head: Head, *, shallow: bool = False) -> tuple[Evidence, Told]:
        """Collect what an open file adds to the evidence.

        :param shallow: leave out its long sequences; somebody else tells of what is in them.
        :return: that, and what is told of its patient's study: the same one as long as nothing was forgotten.
        :raises Irregular: or any other error, when the file must be left to the plain harvest.
        """
        for _ in range(2):
            told = self._told_of(head.implicit, self._last)
            walk = HarvestWalk(self._plans[head.implicit], told, self._last, implicit=head.implicit, shallow=shallow)
            with suppress(OtherStudy):
                position = walk.whole(head)
            if walk.key == self._last:
                break
            self._last = walk.key
        else:
            raise Irregular
        self.first_bytes = next_bytes(position)
        if tail := end_of(head, position).tail:
            walk.elements(tail, 0, 0x7FE00010)
        told.elements |= walk.new
        patients, studies = told.source
        walk.evidence.patients |= patients
        walk.evidence.studies |= studies
        return walk.evidence, told

    def forget(self, told: Told) -> None:
        """Tell again what was told of a patient's study, as if no file of it had been seen."""
        self._told = {key: other for key, other in self._told.items() if other is not told}

    def teller(self, told: Told, *, implicit: bool) -> Teller:
        """Return what collects the evidence of single elements of one more file of the same patient's study."""
        return Teller(self._plans[implicit], told, implicit=implicit)

    def _told_of(self, implicit: bool, key: Key) -> Told:
        told = self._told.get((implicit, key))
        if told is None:
            if len(self._told) >= _MOST_STUDIES:
                self._told.clear()
            told = self._told[implicit, key] = Told(key, implicit=implicit)
        if len(told.elements) > _MOST_TOLD:
            told.elements.clear()
        return told


class Teller:
    """Collects what single elements of one file add to the evidence, of any level.

    Those of the top level that tell the patient and the study are none of them.

    :param told: what was told of the patient's study that the file is of.
    """

    def __init__(self, plans: dict[bytes, Plan], told: Told, *, implicit: bool) -> None:
        self._walk, self._told = HarvestWalk(plans, told, told.key, implicit=implicit, inside=True), told

    def tell(self, element: bytes) -> None:
        """Take in an element.

        :raises Exception: of any kind, when the file must be harvested as a whole.
        """
        self._walk.elements(element, 0)

    def tell_uid(self, value: bytes) -> None:
        """Take in a UID of an object.

        :param value: digits and points, and nothing else but a byte of padding.
        """
        uid = value.rstrip(b"\0").decode()
        if not is_registered(uid):
            self._walk.evidence.uids.add(uid)

    def tell_new_uids(self, uids: Iterable[str]) -> None:
        """Take in UIDs of objects, none of which PS3.6 lists."""
        self._walk.evidence.uids.update(uids)

    def tell_dates(self, tag: int, values: set[bytes]) -> None:
        """Take in the values of elements with VR DA or DT."""
        # All that counts is where a date begins; in the frames of one object, that is mostly the same.
        begun = {value[:10] for value in values}
        if any(b"\\" in value for value in values) or not all(value[:8].isdigit() for value in begun):
            begun = values
        for value in begun:
            plain.collect(self._walk.evidence, tag, "DT", value, plain.texts(Value(value), "DT", []))

    def end(self) -> Evidence:
        """Return the evidence; all of the file was understood."""
        self._told.elements |= self._walk.new
        evidence = self._walk.evidence
        patients, studies = self._told.source
        evidence.patients |= patients
        evidence.studies |= studies
        return evidence
