"""Shelf: keeps what a receiving service gets, `<study>/<series>/<SOP instance>.dcm`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.part_file import FileReception, PartFile
from airlock.dicomio.wire.received import sync_folder
from airlock.dicomio.wire.room import Room
from airlock.dicomio.wire.sink import (
    DUPLICATE,
    MISMATCH,
    OUT_OF_RESOURCES,
    SUCCESS,
    Caller,
    Incoming,
    Reception,
    Refusal,
    is_uid,
)
from airlock.errors import AirlockError

CONFLICTS = "conflicts"
UNREAD = "unread"
_COMING = ".coming"


class Shelf:
    """A folder of received instances, below their study and series.

    The same instance again, in the same bytes, is acknowledged and dropped. In other bytes it is kept below
    `conflicts/`, for a person to look at, and refused. One whose transfer syntax nobody knows is kept below `unread/`.

    :param folder: made when it is missing.
    :param sync: whether an instance is on the disk, not only with the operating system, when it is acknowledged.
    :param least_free_bytes: below this, instances are refused as 0xA700, so that the sender tries again later.
    :param counts: told what came.
    :param arrived: told of each file that is new, and who sent it. What it raises stops nothing: the file is safe.
    :raises OSError: when the folder cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        counts: Counts,
        *,
        sync: bool = True,
        least_free_bytes: int = 1 << 30,
        arrived: Callable[[Path, Caller], None] | None = None,
    ) -> None:
        self._folder = folder
        self._counts = counts
        self._sync = sync
        self._arrived = arrived
        self._coming = folder / _COMING
        self._coming.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in self._coming.glob(".*.part"):
            leftover.unlink(missing_ok=True)
        self._room = Room(folder, least_free_bytes)

    @property
    def free_bytes(self) -> int:
        """What the file system has left for us; 0 when it doesn't say."""
        return self._room.free_bytes

    @property
    def full(self) -> bool:
        """Whether it takes nothing now."""
        return self._room.full

    def begin(self, instance: Incoming) -> Reception:
        """Begin to receive an instance."""
        if not is_uid(instance.sop_instance_uid) or not is_uid(instance.sop_class_uid):
            return Refusal(MISMATCH, self.answered)
        if self.full:
            return Refusal(OUT_OF_RESOURCES, self.answered)
        with suppress(OSError):
            return FileReception(PartFile(self._coming, instance, sync=self._sync), self)
        return Refusal(OUT_OF_RESOURCES, self.answered)

    def write(self, part: PartFile, data: memoryview) -> None:
        """Write the next bytes of an instance.

        :raises OSError: when they cannot be written, or too little room would be left.
        """
        self._room.write(part, data)

    def take(self, part: PartFile) -> int:
        """Keep a whole file; return the status of the answer.

        :raises UnreadableInstance: when it is not a dataset.
        :raises OSError: when it cannot be kept.
        """
        if not part.size:
            return MISMATCH
        place = self._place(part)
        if place is None:
            return MISMATCH
        target = Path(f"{self._folder}/{place}")
        if self._keep(part, target):
            self._counts.add("stored")
            self._counts.add("bytes", part.size)
            self._tell(target, part)
            return SUCCESS
        if part.same_as(target):
            self._counts.add("duplicates")
            return SUCCESS
        # By its digest, so that the same conflict sent again is one file.
        held = Path(CONFLICTS, place.removesuffix(".dcm") + f".{part.digest()[:16]}.dcm")
        self._keep(part, self._folder / held)
        self._counts.add("conflicts")
        return DUPLICATE

    def answered(self, status: int) -> None:
        """Count an instance that was not taken."""
        self._counts.answered(status)

    def ended(self, caller: Caller) -> None:
        """Keep what came: who sent it has no part in where it is."""

    def _tell(self, target: Path, part: PartFile) -> None:
        if self._arrived is None or not part.readable:
            return
        try:
            self._arrived(target, part.instance.caller)
        except AirlockError:
            self._counts.add("not_indexed")

    def _place(self, part: PartFile) -> str | None:
        """Return where a file belongs, below the folder; None when it says nothing that can be a place."""
        name = f"{part.instance.sop_instance_uid}.dcm"
        if not part.readable:
            return f"{UNREAD}/{name}"
        values = part.look()
        study, series = values.get("study_instance_uid", ""), values.get("series_instance_uid", "")
        if values.get("sop_instance_uid") != part.instance.sop_instance_uid or not is_uid(study) or not is_uid(series):
            return None
        return f"{study}/{series}/{name}"

    def _keep(self, part: PartFile, target: Path) -> bool:
        try:
            return part.keep(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._sync:
                for folder in (target.parent.parent, target.parent.parent.parent):
                    sync_folder(folder)
            return part.keep(target)
