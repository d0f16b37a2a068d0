"""Inbox: takes the instances of one study from C-STORE requests into a folder, byte by byte as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from airlock.dicomio.progress import Progress, no_progress
from airlock.dicomio.wire.part_file import FileReception, PartFile, decided
from airlock.dicomio.wire.received import OfferedFile, ReceivedFile
from airlock.dicomio.wire.room import Room
from airlock.dicomio.wire.sink import (
    DUPLICATE,
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

if TYPE_CHECKING:
    from pynetdicom import evt
    from pynetdicom.dimse_primitives import C_STORE


class Inbox:
    """Where received instances go.

    :param folder: gets `<name>.dcm` per instance. A name appears when its file is whole, and only then the instance
        is acknowledged.
    :param study_uid: the only study that is accepted; None accepts all.
    :param name_of: file name, without suffix, for a SOPInstanceUID.
    :param known: SOPInstanceUIDs that are in the folder already. They are acknowledged and not written again.
    :param total: how many are expected, for `progress`.
    :param least_free_bytes: with less on its disk nothing more is taken: 0xA700, so that the sender tries again later.
    """

    def __init__(
        self,
        folder: Path,
        study_uid: str | None,
        name_of: Callable[[str], str] = str,
        *,
        known: Iterable[str] = (),
        total: int | None = None,
        progress: Progress = no_progress,
        least_free_bytes: int = 0,
    ) -> None:
        self._folder = folder
        self._study_uid = study_uid
        self._name_of = name_of
        self._total = total
        self._progress = progress
        self._room = Room(folder, least_free_bytes)
        self._changed = threading.Condition()
        self._given_up = False
        self.received = set(known)
        self.acknowledged = 0
        self.refused = 0
        self.last_arrival = 0.0
        self.counted = False
        """Whether who sends has ever told how many it sent."""

    def begin(self, instance: Incoming) -> Reception:
        """Begin to receive an instance."""
        if not is_uid(instance.sop_instance_uid) or not is_uid(instance.sop_class_uid):
            return Refusal(MISMATCH, self.answered)
        if self._room.full:
            return Refusal(OUT_OF_RESOURCES, self.answered)
        try:
            return FileReception(PartFile(self._folder, instance), self)
        except OSError:
            return Refusal(OUT_OF_RESOURCES, self.answered)

    def handle(self, event: evt.Event) -> int:
        """Handle pynetdicom's `EVT_C_STORE`, for C-GET; return the status of the answer."""
        request = cast("C_STORE", event.request)
        instance = Incoming(
            str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax)
        )
        reception = self.begin(instance)
        if request.DataSet is not None:
            reception.write(request.DataSet.getbuffer())
        return reception.finish()

    def wait(self, enough: Callable[[], bool], patience_seconds: float) -> None:
        """Wait until there is enough, or nothing came for that long: no instance, and no part of one.

        :param enough: asked whenever an instance was answered.
        """
        since = time.monotonic()
        with self._changed:
            while not enough() and not self._given_up:
                left = max(since, self.last_arrival) + patience_seconds - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    @property
    def whole(self) -> bool:
        """Whether as many are here as are expected."""
        return len(self.received) >= (self._total or 0)

    def write(self, part: PartFile, data: memoryview) -> None:
        """Write the next bytes of an instance.

        :raises OSError: when they cannot be written, or too little room would be left.
        """
        # A large instance is a sign of life long before it is whole.
        self.notice()
        self._room.write(part, data)

    def notice(self) -> None:
        """Take note that something is under way."""
        self.last_arrival = time.monotonic()

    def decide(self, file: OfferedFile | None) -> int:
        """Keep a file that the receiving service offers, or not; return the status of the answer."""
        return decided(file, self)

    def give_up(self) -> None:
        """Wait for nothing more."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def take(self, part: ReceivedFile) -> int:
        """Keep a whole file, if it is one that was asked for; return the status of the answer.

        :raises UnreadableInstance: when it is not a dataset.
        :raises OSError: when it cannot be kept.
        """
        if not part.size:
            return MISMATCH
        values = part.look()
        study_uid, sop_uid = values.get("study_instance_uid"), part.instance.sop_instance_uid
        if not study_uid or values.get("sop_instance_uid") != sop_uid:
            return MISMATCH
        if self._study_uid is not None and study_uid != self._study_uid:
            return NOT_AUTHORISED
        target = self._folder / f"{self._name_of(sop_uid)}.dcm"
        if not part.keep(target) and not part.same_as(target):
            # It came before, with other bytes. What is there is not replaced.
            return DUPLICATE
        with self._changed:
            self.received.add(sop_uid)
            self._progress(len(self.received), self._total)
        return SUCCESS

    def ended(self, caller: Caller) -> None:
        """Go on: a PACS may send a study over several associations."""

    def answered(self, status: int) -> None:
        """Count an instance by the status of its answer."""
        with self._changed:
            self.last_arrival = time.monotonic()
            if status == SUCCESS:
                self.acknowledged += 1
            else:
                self.refused += 1
            self._changed.notify_all()
