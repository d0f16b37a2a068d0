"""One file: walked, stamped, and written around its pixel data."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable

from airlock import background
from airlock.deid.basis import Basis
from airlock.deid.remarks import Remarks
from airlock.deid.stream.header import Headers
from airlock.deid.stream.stamping import Stamping
from airlock.deid.stream.walk import Walk
from airlock.deid.stream.walks import Walks
from airlock.dicomio.copying import HiddenFile, NewFile, write_all
from airlock.dicomio.head import FIRST_BYTES, Head, Irregular, More, next_bytes, open_head
from airlock.dicomio.moving import move_bytes, moved_at_once
from airlock.dicomio.pixels import PixelData, end_of
from airlock.identity.stream import Teller
from airlock.tuples import NamedTuple
from airlock.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# Copying so much takes longer than to begin it in a thread, and about as long as a header.
_LARGE_BYTES = 2 << 20
Place = Callable[[tuple[str, str, str, str]], str]


class Streamed(NamedTuple):
    """A file that was written.

    :param uids: new UIDs of class, instance, study and series.
    :param size: in bytes.
    :param keys: elements that tell the patient and the study, as they are encoded.
    """

    path: str
    uids: tuple[str, str, str, str]
    size: int
    unreadable_dates: int
    keys: tuple[bytes, ...] = ()


class Streamer:
    """De-identifies files without making datasets of them.

    :param check: raises what holds an instance for what it says of itself.
    :param stamp: writes what every object is to carry; told whether pixels were rewritten.
    :param alike: the same for all that check and stamp the same attributes; None to find out which they are.
    :param keys: tags of what tells the patient and the study, where somebody wants to be told of them.

    `teller` is told of elements that were not seen before and may say something of the patient, where there are keys.
    """

    def __init__(
        self,
        basis: Basis,
        check: Callable[[Any], None],
        stamp: Callable[[Any, bool], None],
        keys: tuple[int, ...] = (),
        alike: Hashable = None,
    ) -> None:
        self._remarks = Remarks(basis.identifiers)
        stamping = Stamping(check, stamp, keys, alike)
        self._headers = Headers(Walks(basis, stamping.taken, telling=bool(keys)), stamping)
        self.teller: Teller | None = None
        self._first_bytes = FIRST_BYTES

    def process(self, source: Path, folder: Path, place: Place, *, pixels_rewritten: bool) -> Streamed:
        """De-identify one file.

        :param place: path below `folder` for new UIDs.
        :raises Irregular: when the file must be left to the plain engine.
        :raises InstanceNotUnderstood: when it must be held.
        :raises OSError: when a file cannot be read or written.
        """
        with open_head(source, self._first_bytes) as head:
            return self.process_head(head, folder, place, pixels_rewritten=pixels_rewritten)

    def process_head(
        self, head: Head, folder: Path | str, place: Place, *, pixels_rewritten: bool, otherwise: str | None = None
    ) -> Streamed:
        """De-identify an open file, as :meth:`process` does.

        :param otherwise: path to use where there is a file of the other one; nobody looks at the folder meanwhile.
        """
        made = self._headers.make(head, self.teller, pixels_rewritten=pixels_rewritten)
        self._first_bytes = next_bytes(made.position)
        walk, uids = made.walk, made.uids
        _, pixels, tail = end_of(head, made.position)
        if pixels is not None and self._remarks.any_to_clear(head, made.position, pixels):
            raise Irregular
        tail = self._tail(walk, tail)
        path = place(uids)
        if otherwise is None:
            with NewFile(f"{folder}/{path}") as descriptor:
                size = _write(descriptor, made.header, head, pixels, tail)
        else:
            with (new := HiddenFile(str(folder), path, otherwise)) as descriptor:
                size = _write(descriptor, made.header, head, pixels, tail)
            path = new.path
        unreadable, walk.unreadable_dates = walk.unreadable_dates, 0
        return Streamed(path, uids, size, unreadable, made.keys)

    @staticmethod
    def _tail(walk: Walk, tail: bytes) -> bytes:
        """De-identify what follows the pixel data."""
        if not tail:
            return b""
        try:
            walked = walk.top(tail, 0, 0x7FE00010)
        except (More, struct.error):
            raise Irregular from None
        return b"".join(piece for piece in walked.pieces if isinstance(piece, bytes))


def _write(descriptor: int, header: bytes, head: Head, pixels: PixelData | None, tail: bytes) -> int:
    size = 0
    if pixels is not None:
        header += pixels.header
        end = pixels.offset + pixels.size
        tail = b"\0" + tail if pixels.odd else tail
        if end <= len(head.data):
            header, tail = header + head.data[pixels.offset : end] + tail, b""
        else:
            size = pixels.size
    write_all(descriptor, header)
    if pixels is not None and size:
        if size >= _LARGE_BYTES and not tail and background.is_allowed():
            background.begin(moved_at_once(head.descriptor, descriptor, pixels.offset, size))
        else:
            move_bytes(head.descriptor, descriptor, pixels.offset, size)
    if tail:
        write_all(descriptor, tail)
    return len(header) + size + len(tail)
