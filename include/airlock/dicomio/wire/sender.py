"""C-STORE requests whose dataset is the file's own bytes, streamed (PS3.4 annex B, PS3.8 section 9.3.5)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from airlock.dicomio.wire import command, pdu
from airlock.dicomio.wire.command import Command
from airlock.dicomio.wire.connection import Bytes
from airlock.dicomio.wire.frame import Frame
from airlock.dicomio.wire.glance import Meta, read_meta
from airlock.dicomio.wire.requestor import Requestor

TYPE_CHECKING = False  # what typing has of that name; its import takes longer than to send an image
if TYPE_CHECKING:
    from pathlib import Path

    from airlock.dicomio.wire.frame import Source

_META_BYTES = 4096
_LEAST_PDU_BYTES = 16
_MOST_MESSAGES = 0xFFFF


class DatasetFile:
    """A file that is open to be read; its dataset is the :class:`airlock.dicomio.wire.frame.Source` of a message.

    :raises OSError: when it cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._position = 0

    def __enter__(self) -> DatasetFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def meta(self) -> Meta:
        """Return the file meta information; the dataset is read from after it.

        :raises UnreadableInstance: when there is none that names class, instance and transfer syntax.
        :raises OSError: when the file cannot be read.
        """
        meta = read_meta(os.pread(self._descriptor, _META_BYTES, 0)) or _with_care(self._path)
        self._position = meta.offset
        return meta

    @property
    def left(self) -> int:
        """Bytes from where it is read to its end.

        :raises OSError: when there are none.
        """
        left = os.fstat(self._descriptor).st_size - self._position
        if left <= 0:
            raise OSError("there is no dataset")
        return left

    def readv(self, buffers: Sequence[memoryview]) -> int:
        """Fill buffers with the next bytes."""
        count = os.preadv(self._descriptor, buffers, self._position)
        self._position += count
        return count


class Message:
    """A C-STORE request that is ready to go out, its dataset read. It is valid until the next one is made."""

    __slots__ = ("number", "parts")

    def __init__(self, number: int, parts: list[Bytes]) -> None:
        self.number = number
        self.parts = parts


class Sender:
    """Sends files over an association, one after the other, in constant memory."""

    def __init__(self, association: Requestor) -> None:
        self._association = association
        self._message_id = 0
        longest = association.max_pdu or pdu.MAX_PDU_BYTES
        # Longer ones than we take ourselves gain nothing.
        self._fragment_bytes = max(_LEAST_PDU_BYTES, min(longest, pdu.MAX_PDU_BYTES)) - 6 & ~1
        self._frame = Frame(self._fragment_bytes)

    def send(self, dataset: Source, size: int, context: int, meta: Meta) -> Command:
        """Send the next bytes of a stream as the dataset of an instance, and return the answer.

        :param size: how many, above 0.
        :param context: presentation context of its SOP class and transfer syntax.
        :param meta: its file meta information.
        :raises TransferIncomplete: when the source has not as many.
        :raises AssociationAborted: when the association ends first.
        :raises PeerUnavailable: when there is no answer in time.
        :raises OSError: when the source cannot be read.
        """
        number, parts = self._request(context, meta)
        while size > self._frame.room:
            self._association.send([*parts, self._frame.fill(dataset, self._frame.room, context, last=False)])
            size, parts = size - self._frame.room, []
        self._association.send([*parts, self._frame.fill(dataset, size, context, last=True)])
        return self._association.answer(number)

    def load(self, dataset: Source, size: int, context: int, meta: Meta) -> Message | None:
        """Make the message of an instance before its turn; None when it is too large to be read in one go.

        Arguments and errors as :meth:`send`.
        """
        if size > self._frame.room:
            return None
        number, parts = self._request(context, meta)
        return Message(number, [*parts, self._frame.fill(dataset, size, context, last=True)])

    def post(self, message: Message) -> None:
        """Send a message; :meth:`answer` is next. Raises as :meth:`send`."""
        self._association.send(message.parts)

    def answer(self, number: int) -> Command:
        """Wait for the answer to the message of that number. Raises as :meth:`send`."""
        return self._association.answer(number)

    def _request(self, context: int, meta: Meta) -> tuple[int, list[Bytes]]:
        self._message_id = self._message_id % _MOST_MESSAGES + 1
        request = command.store_request(self._message_id, meta.sop_class_uid, meta.sop_instance_uid)
        parts: list[Bytes] = []
        for first in range(0, len(request), self._fragment_bytes):
            fragment = request[first : first + self._fragment_bytes]
            last = pdu.LAST if first + len(fragment) == len(request) else 0
            parts += [pdu.p_data_head(context, pdu.COMMAND | last, len(fragment)), fragment]
        return self._message_id, parts


def meta_of(path: str | Path) -> Meta:
    """Return the file meta information of a file.

    :raises UnreadableInstance: when it has none that names class, instance and transfer syntax.
    :raises OSError: when the file cannot be read.
    """
    with DatasetFile(path) as file:
        return file.meta()


def _with_care(path: str | Path) -> Meta:
    """Read file meta information that is long, or unusual."""
    # Few files need it, and its imports take longer than to send one.
    from pathlib import Path  # noqa: PLC0415 - as the comment says

    from airlock.dicomio.header import read_header  # noqa: PLC0415 - as above
    from airlock.dicomio.walker import Walker  # noqa: PLC0415 - as above

    path = Path(path)
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
