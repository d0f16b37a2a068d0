"""Desk: takes what pulls asked for and gives it to them; puts the rest on a shelf, or sends it back."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from airlock.dicomio.wire.claimant import Claimant
from airlock.dicomio.wire.claims import Claims, joined
from airlock.dicomio.wire.counts import Counts
from airlock.dicomio.wire.part_file import FileReception, PartFile
from airlock.dicomio.wire.room import Room
from airlock.dicomio.wire.shelf import Shelf
from airlock.dicomio.wire.sink import (
    COMMITMENT,
    MISMATCH,
    NOT_AUTHORISED,
    OUT_OF_RESOURCES,
    SUCCESS,
    Caller,
    Incoming,
    Reception,
    Refusal,
    is_uid,
)

_SIGN_SECONDS = 2.0
_MOST_REPORT_BYTES = 16 << 20


class Desk:
    """What comes is written into a folder per association, and is there until everybody who asked has it.

    :param coming: this folder; on the file system of the workspaces. What an earlier service left in it is removed.
    :param claims: who asked for what.
    :param shelf: gets what nobody asked for; None: it is refused as 0x0124.
    :param sync: whether an instance is on the disk, not only with the operating system, when it is acknowledged.
    :param least_free_bytes: below this, instances are refused as 0xA700, so that the sender tries again later.
    :raises OSError: when the folder cannot be made.
    """

    def __init__(
        self,
        coming: Path,
        claims: Claims,
        counts: Counts,
        *,
        shelf: Shelf | None = None,
        sync: bool = True,
        least_free_bytes: int = 1 << 30,
    ) -> None:
        shutil.rmtree(coming, ignore_errors=True)
        coming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._coming, self._claims, self._counts = coming, claims, counts
        self._shelf, self._sync = shelf, sync
        self._room = Room(coming, least_free_bytes)

    @property
    def free_bytes(self) -> int:
        """What the file system has left for us; 0 when it doesn't say."""
        return min(self._room.free_bytes, self._shelf.free_bytes if self._shelf else self._room.free_bytes)

    @property
    def full(self) -> bool:
        """Whether it takes nothing now."""
        return self._room.full or (self._shelf is not None and self._shelf.full)

    def begin(self, instance: Incoming) -> Reception:
        """Begin to receive an instance, or a report."""
        if not is_uid(instance.sop_instance_uid) or not is_uid(instance.sop_class_uid):
            return Refusal(MISMATCH, self.answered)
        if self.full:
            return Refusal(OUT_OF_RESOURCES, self.answered)
        with suppress(OSError):
            return FileReception(self._part(instance), self)
        return Refusal(OUT_OF_RESOURCES, self.answered)

    def write(self, part: PartFile, data: memoryview) -> None:
        """Write the next bytes of an instance; now and then, tell who asked for it that it is coming.

        :raises OSError: when they cannot be written, or too little room would be left.
        """
        is_report = part.instance.sop_class_uid == COMMITMENT
        if is_report and part.size > _MOST_REPORT_BYTES:
            raise OSError("a report that is too long")
        self._room.write(part, data)
        now = time.monotonic()
        if is_report or now - part.told_at < _SIGN_SECONDS:
            return
        part.told_at = now
        if seen := part.glimpse():
            self._claims.sign_of_life(self._asking(part, seen.get("study_instance_uid", "")))

    def take(self, part: PartFile) -> int:
        """Give a whole file to who asked for it; return the status of the answer.

        :raises UnreadableInstance: when it is not a dataset.
        :raises OSError: when it cannot be kept.
        """
        if not part.size:
            return MISMATCH
        if part.instance.sop_class_uid == COMMITMENT:
            return self._report(part)
        claimants = self._asking(part, part.look().get("study_instance_uid", "")) if part.readable else []
        if claimants:
            return self._give(part, claimants)
        self._counts.add("unasked")
        return NOT_AUTHORISED if self._shelf is None else self._shelf.take(part)

    def answered(self, status: int) -> None:
        """Count an instance that was not taken."""
        self._counts.answered(status)

    def ended(self, caller: Caller) -> None:
        """Remove the folder of an association that has ended."""
        with suppress(OSError):
            self._folder(caller).rmdir()

    def _folder(self, caller: Caller) -> Path:
        return self._coming / str(caller.association)

    def _part(self, instance: Incoming) -> PartFile:
        folder = self._folder(instance.caller)
        try:
            return PartFile(folder, instance, sync=self._sync)
        except FileNotFoundError:
            folder.mkdir(mode=0o700, exist_ok=True)
            return PartFile(folder, instance, sync=self._sync)

    def _asking(self, part: PartFile, study_uid: str) -> list[Claimant]:
        return self._claims.asking_for(study_uid, part.instance) if study_uid else []

    def _offer(self, part: PartFile, claimants: list[Claimant]) -> list[int]:
        part.settle()
        file = f"{part.instance.caller.association}/{part.name}"
        return self._claims.offer(claimants, file, part.offset, part.instance)

    def _give(self, part: PartFile, claimants: list[Claimant]) -> int:
        status = joined(self._offer(part, claimants))
        if status == SUCCESS:
            self._counts.add("moved")
            self._counts.add("bytes", part.size)
        return status

    def _report(self, part: PartFile) -> int:
        """Show a report to who waits for one. One that nobody waits for any more is acknowledged and ignored."""
        self._counts.add("reports")
        self._offer(part, self._claims.awaiting_reports())
        return SUCCESS
