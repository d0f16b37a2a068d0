"""Compare pixel data in blocks: it must be the source's, byte for byte (PS3.5 section 8)."""

from __future__ import annotations

from collections.abc import Iterator

from airlock.verify.found import Problem
from airlock.verify.reader import File

_BLOCK_BYTES = 4 << 20


def check_pixels(output: File, source: File) -> Iterator[Problem]:
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
    for start in range(0, before.size, _BLOCK_BYTES):
        count = min(_BLOCK_BYTES, before.size - start)
        if output.source.read(after.offset + start, count) != source.source.read(before.offset + start, count):
            yield Problem("PixelData", "differs from its source")
            return
