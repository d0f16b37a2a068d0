"""C-STORE requests whose dataset is the file's own bytes, streamed (PS3.4 annex B, PS3.8 section 9.3.5)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from airlock.dicomio.header import read_header
from airlock.dicomio.walker import Walker
from airlock.dicomio.wire import command, pdu
from airlock.dicomio.wire.command import Command
from airlock.dicomio.wire.connection import Bytes
from airlock.dicomio.wire.glance import Meta, read_meta
from airlock.dicomio.wire.requestor import Requestor
from airlock.errors import TransferIncomplete

_BLOCK_BYTES = 1 << 19
_META_BYTES = 4096
_LEAST_PDU_BYTES = 16
_MOST_MESSAGES = 0xFFFF


class Source(Protocol):
    """Where the bytes of a dataset come from."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill a buffer, or a part of it; return how many bytes were read."""


class Sender:
    """Sends files over an association, one after the other, in constant memory."""

    def __init__(self, association: Requestor) -> None:
        self._association = association
        self._message_id = 0
        longest = association.max_pdu or pdu.MAX_PDU_BYTES
        # Longer ones than we take ourselves gain nothing.
        self._fragment_bytes = max(_LEAST_PDU_BYTES, min(longest, pdu.MAX_PDU_BYTES)) - 6 & ~1
        # Whole fragments only, so that a short one is the last.
        self._block = bytearray(max(1, _BLOCK_BYTES // self._fragment_bytes) * self._fragment_bytes)
        self._view = memoryview(self._block)

    def send(self, path: Path, context: int, meta: Meta) -> Command:
        """Send a file and return the answer.

        :param context: presentation context of its SOP class and transfer syntax.
        :param meta: its file meta information.
        :raises TransferIncomplete: when the file becomes shorter while it is read.
        :raises AssociationAborted: when the association ends first.
        :raises PeerUnavailable: when there is no answer in time.
        :raises OSError: when the file cannot be read.
        """
        with path.open("rb", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size - meta.offset
            if left <= 0:
                raise OSError("there is no dataset")
            file.seek(meta.offset)
            return self.send_stream(file, left, context, meta)

    def send_stream(self, dataset: Source, size: int, context: int, meta: Meta) -> Command:
        """Send the next bytes of a stream as the dataset of an instance. As :meth:`send`.

        :param size: how many, above 0.
        """
        self._message_id = self._message_id % _MOST_MESSAGES + 1
        request = command.store_request(self._message_id, meta.sop_class_uid, meta.sop_instance_uid)
        parts: list[Bytes] = self._command(context, request)
        full = pdu.p_data_head(context, 0, self._fragment_bytes)
        while size > 0:
            block = self._read(dataset, min(size, len(self._block)))
            size -= len(block)
            for first in range(0, len(block), self._fragment_bytes):
                fragment = block[first : first + self._fragment_bytes]
                last = not size and first + len(fragment) == len(block)
                whole = not last and len(fragment) == self._fragment_bytes
                parts.append(full if whole else pdu.p_data_head(context, pdu.LAST if last else 0, len(fragment)))
                parts.append(fragment)
            self._association.send(parts)
            parts = []
        return self._association.answer(self._message_id)

    def _command(self, context: int, request: bytes) -> list[Bytes]:
        parts: list[Bytes] = []
        for first in range(0, len(request), self._fragment_bytes):
            fragment = request[first : first + self._fragment_bytes]
            last = pdu.LAST if first + len(fragment) == len(request) else 0
            parts += [pdu.p_data_head(context, pdu.COMMAND | last, len(fragment)), fragment]
        return parts

    def _read(self, dataset: Source, size: int) -> memoryview:
        done = 0
        while done < size:
            count = dataset.readinto(self._view[done:size])
            if not count:
                raise TransferIncomplete(
                    "A file became shorter while it was sent; the association was aborted. Clear the step that made it."
                )
            done += count
        return self._view[:size]


def meta_of(path: Path) -> Meta:
    """Return the file meta information of a file.

    :raises UnreadableInstance: when it has none that names class, instance and transfer syntax.
    :raises OSError: when the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return read_meta(file.read(_META_BYTES)) or _with_care(path)


def _with_care(path: Path) -> Meta:
    """Read file meta information that is long, or unusual."""
    header = read_header(path)
    with path.open("rb") as file:
        file.seek(132)
        walker = Walker(file, os.fstat(file.fileno()).st_size, implicit=False, little_endian=True)
        offset = 132
        # The dataset may be in another encoding: no more than the group of its first element is looked at.
        while file.read(2) == b"\x02\x00":
            file.seek(offset)
            if (element := walker.next()) is not None:
                walker.skip(element)
            offset = file.tell()
    return Meta(header.media_sop_class_uid, header.media_sop_instance_uid, header.transfer_syntax_uid, offset)
