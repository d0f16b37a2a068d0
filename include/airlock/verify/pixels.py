"""Compare pixel data in blocks: it must be the source's, byte for byte (PS3.5 section 8), but for what is no image."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from airlock.verify.beside import beside
from airlock.verify.found import Problem
from airlock.verify.reader import File, PixelPlace
from airlock.verify.search import Search
from airlock.verify.stored import Source

# Two of them are what a processor keeps at hand: larger blocks are read from memory once more to be compared.
_BLOCK_BYTES = 128 << 10
_PAGE_BYTES = 4096


class _Buffer:
    """Memory that blocks are read into.

    Processors take three times as long to copy to an address that lies a few bytes behind the one they copy from,
    within a page: what they store looks like what they are about to load. So it is filled from half a page further.
    """

    __slots__ = ("_address", "data", "view")

    def __init__(self) -> None:
        self.data = bytearray(_BLOCK_BYTES + _PAGE_BYTES)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self.data))
        self.view = memoryview(self.data)

    def start(self, offset: int) -> int:
        """Return where in it to begin with what is read from an offset of a file."""
        return (offset + _PAGE_BYTES // 2 - self._address) % _PAGE_BYTES


class PixelComparison:
    """Compares pixel data, with two buffers that it keeps: new ones for every file would cost more than the reading."""

    def __init__(self) -> None:
        self._ours, self._theirs = _Buffer(), _Buffer()

    def problems(self, output: File, source: File) -> Iterator[Problem]:
        """Yield how the pixel data of an output differs from that of the file that it was made from.

        An odd length, which is not legal but occurs, becomes even with a zero byte.
        """
        after, before = output.pixels, source.pixels
        after = None if after is not None and not after.tag else after
        before = None if before is not None and not before.tag else before
        if after is None or before is None:
            if after is not before:
                yield Problem("PixelData", "is missing" if after is None else "comes from nowhere")
            return
        if (after.tag, after.encapsulated) != (before.tag, before.encapsulated) or output.syntax != source.syntax:
            yield Problem("PixelData", "is encoded in another way than its source")
            return
        padding = after.size - before.size
        if padding not in ((0,) if before.encapsulated or before.size % 2 == 0 else (1,)):
            yield Problem("PixelData", "has another length than its source")
            return
        if padding and output.source.read(after.offset + before.size, 1) != b"\0":
            yield Problem("PixelData", "is padded with something")
        if not self._same(output.source, after.offset, source.source, before.offset, before.size) and not (
            self._same_image(output, after, source, before)
        ):
            yield Problem("PixelData", "differs from its source")

    def _same_image(self, output: File, after: PixelPlace, source: File, before: PixelPlace) -> bool:
        """Whether all is the same but zeros where the source has something beside its image."""
        ours, theirs, position = output.source, source.source, 0
        for offset, size, _ in beside(source):
            if offset < position:
                return False
            if not self._same(ours, after.offset + position, theirs, before.offset + position, offset - position):
                return False
            pairs = zip(ours.read(after.offset + offset, size), theirs.read(before.offset + offset, size), strict=True)
            if any(our and our != their for our, their in pairs):
                return False
            position = offset + size
        return self._same(ours, after.offset + position, theirs, before.offset + position, before.size - position)

    def _same(self, ours: Source, our_offset: int, theirs: Source, their_offset: int, size: int) -> bool:
        at, there = self._ours.start(our_offset), self._theirs.start(their_offset)
        count = 0
        for start in range(0, size, _BLOCK_BYTES):
            if not start or size - start < count:
                count = min(_BLOCK_BYTES, size - start)
                left, right = self._ours.view[at : at + count], self._theirs.view[there : there + count]
            ours.read_into(our_offset + start, left)
            theirs.read_into(their_offset + start, right)
            # Unlike views, which are compared item by item, this is done at the speed of memory.
            if not self._ours.data.startswith(right, at):
                return False
        return True


def left_beside(output: File, search: Search) -> Iterator[Problem]:
    """Yield what is left beside the images of an output that may not be there."""
    for offset, size, camera in beside(output):
        data = output.source.read(output.pixels.offset + offset, size) if output.pixels else b""
        if not data.strip(b"\0"):
            continue
        if camera:
            yield Problem("PixelData", "holds data of a camera")
        for kind, weak in search.data(data):
            yield Problem("PixelData", f"holds a {kind} of the input", identifier=True, weak=weak)
