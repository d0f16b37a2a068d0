"""Inbox: takes the instances of one study from C-STORE requests into a folder, byte by byte as they come."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE

from airlock.dicomio.header import UnreadableInstance, read_values
from airlock.dicomio.progress import Progress, no_progress

# PS3.7 annex C and PS3.4 table B.2-1
_SUCCESS, _NOT_AUTHORISED, _OUT_OF_RESOURCES, _MISMATCH, _CANNOT_UNDERSTAND = 0x0000, 0x0124, 0xA700, 0xA900, 0xC000


class Inbox:
    """Where received instances go.

    :param folder: gets `<name>.dcm` per instance. A name appears when its file is whole, and only then the instance
        is acknowledged.
    :param study_uid: the only study that is accepted; None accepts all.
    :param name_of: file name, without suffix, for a SOPInstanceUID.
    :param known: SOPInstanceUIDs that are in the folder already. They are acknowledged and not written again.
    :param total: how many are expected, for `progress`.
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
    ) -> None:
        self._folder = folder
        self._study_uid = study_uid
        self._name_of = name_of
        self._total = total
        self._progress = progress
        self._changed = threading.Condition()
        self.received = set(known)
        self.acknowledged = 0
        self.refused = 0
        self.last_arrival = 0.0

    def handle(self, event: evt.Event) -> int:
        """Handle `EVT_C_STORE`; return the status of the answer."""
        status = self._take(event)
        with self._changed:
            self.last_arrival = time.monotonic()
            if status == _SUCCESS:
                self.acknowledged += 1
            else:
                self.refused += 1
            self._changed.notify_all()
        return status

    def wait(self, acknowledged: int, patience_seconds: float) -> None:
        """Wait until that many instances were acknowledged, or nothing came for that long."""
        with self._changed:
            while self.acknowledged < acknowledged:
                if not self._changed.wait(patience_seconds):
                    return

    def _take(self, event: evt.Event) -> int:
        request = cast(C_STORE, event.request)
        sop_uid, data = str(request.AffectedSOPInstanceUID), request.DataSet
        if data is None:
            return _MISMATCH
        status = self._judge(sop_uid, data, str(event.context.transfer_syntax))
        if status != _SUCCESS:
            return status
        if sop_uid in self.received:
            return _SUCCESS
        try:
            self._write(event, sop_uid, data)
        except OSError:
            return _OUT_OF_RESOURCES
        with self._changed:
            self.received.add(sop_uid)
            self._progress(len(self.received), self._total)
        return _SUCCESS

    def _judge(self, sop_uid: str, data: io.BytesIO, transfer_syntax_uid: str) -> int:
        data.seek(0)
        try:
            values = read_values(data, data.getbuffer().nbytes, transfer_syntax_uid)
        except UnreadableInstance:
            return _CANNOT_UNDERSTAND
        if not values.get("study_instance_uid") or values.get("sop_instance_uid") != sop_uid:
            return _MISMATCH
        foreign = self._study_uid is not None and values["study_instance_uid"] != self._study_uid
        return _NOT_AUTHORISED if foreign else _SUCCESS

    def _write(self, event: evt.Event, sop_uid: str, data: io.BytesIO) -> None:
        head = DicomBytesIO()
        head.write(bytes(128) + b"DICM")
        write_file_meta_info(head, event.file_meta)
        name = self._name_of(sop_uid)
        # The same instance may arrive in two associations at once.
        part = self._folder / f".{name}.{threading.get_ident()}.part"
        try:
            with part.open("wb") as stream:
                stream.write(head.getvalue())
                stream.write(data.getbuffer())
            part.replace(self._folder / f"{name}.dcm")
        finally:
            part.unlink(missing_ok=True)
