"""Bytes of files, by where they lie."""

from __future__ import annotations

import os

from airlock.verify.levels import Malformed


class Source:
    """Bytes by offset: of an open file, or of a dataset that was inflated."""

    def __init__(self, descriptor: int, size: int, inflated: bytes | None = None) -> None:
        self._descriptor, self.size, self._inflated = descriptor, size, inflated
        self._head = b""

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes; fewer only at the end.

        :raises Malformed: when the file became shorter than it was.
        """
        if self._inflated is not None:
            return self._inflated[offset : offset + count]
        count = max(0, min(count, self.size - offset))
        if offset + count <= len(self._head):
            return self._head[offset : offset + count]
        data = os.pread(self._descriptor, count, offset)
        while len(data) < count:
            more = os.pread(self._descriptor, count - len(data), offset + len(data))
            if not more:
                raise Malformed("the file became shorter while it was read")
            data += more
        if not offset:
            self._head = data
        return data

    def forget(self) -> None:
        """Give back the memory of the first bytes, which were read ahead."""
        self._head = b""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer with the bytes from an offset on.

        :raises Malformed: when there are not as many.
        """
        if self._inflated is not None:
            buffer[:] = self._inflated[offset : offset + len(buffer)]
            return
        done = 0
        while done < len(buffer):
            count = os.preadv(self._descriptor, [buffer[done:]], offset + done)
            if not count:
                raise Malformed("the file became shorter while it was read")
            done += count
