"""multipart/related (RFC 2387), piece by piece: what DICOMweb carries instances in (PS3.18 section 8.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_MAX_HEADER_BYTES = 64 << 10
# Quoted, it may hold what ends it otherwise (RFC 2046 section 5.1.1).
_BOUNDARY = re.compile(r'boundary="([^"]{1,70})"|boundary=([^";,]{1,70})', re.IGNORECASE)


class Malformed(Exception):
    """The body is not whole, or not multipart. The text holds nothing of it."""


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names.

    :raises Malformed: when it is no multipart type or names none.
    """
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().lstrip().startswith("multipart/") or match is None:
        raise Malformed("the answer is not multipart")
    return (match[1] or match[2]).strip().encode("ascii", "replace")


def read_parts(chunks: Iterable[bytes], boundary: bytes) -> Iterator[Iterator[bytes]]:
    """Yield the parts of a body, each as its content piece by piece.

    No more than a chunk and a boundary is held. A part must be read to its end before the next one is asked for.

    :raises Malformed: when the body ends before its last boundary.
    """
    body = _Body(chunks, b"\r\n--" + boundary)
    body.skip_to_delimiter()
    while body.enter_part():
        yield body.content()
        body.skip_to_delimiter()


class _Body:
    """A body, and how far it was read.

    :param delimiter: what stands between two parts, with the line end before it.
    """

    def __init__(self, chunks: Iterable[bytes], delimiter: bytes) -> None:
        self._chunks = iter(chunks)
        self._delimiter = delimiter
        self._at_delimiter = False
        self._buffer = b"\r\n"  # the first delimiter may stand at the very start

    def _more(self) -> None:
        chunk = next((c for c in self._chunks if c), None)
        if chunk is None:
            raise Malformed("the answer ended in the middle")
        self._buffer += chunk

    def content(self) -> Iterator[bytes]:
        """Yield what comes before the next delimiter, and pass that one."""
        while not self._at_delimiter:
            end = self._buffer.find(self._delimiter)
            if end >= 0:
                piece, self._buffer = self._buffer[:end], self._buffer[end + len(self._delimiter) :]
                self._at_delimiter = True
            else:
                # The end of what is there may be the start of a delimiter.
                keep = len(self._delimiter) - 1
                piece, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
            if piece:
                yield piece
            if not self._at_delimiter:
                self._more()

    def skip_to_delimiter(self) -> None:
        """Pass over the rest of a part."""
        for _ in self.content():
            pass

    def enter_part(self) -> bool:
        """Pass over the headers of a part; return False behind the last one."""
        while len(self._buffer) < 2:
            self._more()
        if self._buffer.startswith(b"--"):
            return False
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _MAX_HEADER_BYTES:
                raise Malformed("the headers of a part have no end")
            self._more()
        # A part without content: what ends its headers begins its delimiter.
        self._buffer = self._buffer[end + 2 :] if self._empty_at(end) else self._buffer[end + 4 :]
        self._at_delimiter = False
        return True

    def _empty_at(self, end: int) -> bool:
        return self._buffer.startswith(self._delimiter, end + 2)


class FilesBody:
    """The body of a STOW-RS request: files as parts, read while they are sent. Its length is known before.

    :param boundary: a word that no file holds.
    """

    def __init__(self, files: Iterable[Path], boundary: str) -> None:
        self._files = [(path, path.stat().st_size) for path in files]
        self._head = f"\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
        self._tail = f"\r\n--{boundary}--\r\n".encode("ascii")

    def __len__(self) -> int:
        return sum(len(self._head) + size for _, size in self._files) + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        for path, size in self._files:
            yield self._head
            with path.open("rb") as stream:
                left = size
                while left > 0 and (piece := stream.read(min(left, 1 << 18))):
                    left -= len(piece)
                    yield piece
        yield self._tail
