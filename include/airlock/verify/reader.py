"""A strict reader of DICOM files that accounts for every byte, written for verification and used by nothing else.

It shares no code with the readers that de-identification uses, so that what one of them overlooks the other does not.
It is iterative: sequences may be nested to any depth. What it doesn't understand it refuses (PS3.5 section 7, annex A;
PS3.10 section 7.1).
"""

from __future__ import annotations

import os
import struct

from airlock.tuples import NamedTuple
from airlock.verify.heads import Begun, Heads
from airlock.verify.layouts import Layouts
from airlock.verify.levels import Level, Malformed, Order, Short
from airlock.verify.parser import parse_level
from airlock.verify.stored import Source

IMPLICIT, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN")
_UNDEFINED = 0xFFFFFFFF
_new = tuple.__new__
_FIRST_READ, _SECOND_READ = 12 << 10, 128 << 10
_LARGEST_HEADER = 512 << 20
_LONGEST_FIRST_READ = 1 << 20
_EXPLICIT = Order(implicit=False, little=True)
_IMPLICIT = Order(implicit=True, little=True)
_BIG_ENDIAN = Order(implicit=False, little=False)


class PixelPlace(NamedTuple):
    """Where the value of a pixel data element lies.

    :param offset: of its first byte in the source.
    :param size: in bytes, with fragment headers and delimiter when encapsulated.
    """

    tag: int
    vr: bytes
    offset: int
    size: int
    encapsulated: bool


class File(NamedTuple):
    """A file that was read, without the value of its pixel data.

    :param meta: the file meta information; empty when an input has none.
    :param tail: elements that follow the pixel data.
    :param order: how the dataset is encoded.
    """

    preamble: bytes
    meta: Level
    syntax: str
    order: Order
    dataset: Level
    pixels: PixelPlace | None
    tail: Level | None
    source: Source


class Reader:
    """Reads open files, and remembers how their elements lay.

    :param strict: for outputs. An input may have odd lengths and trailing zeros, and elements in any order.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._meta_layouts = Layouts(_EXPLICIT, strict=strict, below=0x00030000)
        self._layouts = {
            order: Layouts(order, strict=strict, below=_PIXELS[0]) for order in (_EXPLICIT, _IMPLICIT, _BIG_ENDIAN)
        }
        self._heads = Heads(strict=strict)
        self._first_read = _FIRST_READ

    def read(self, descriptor: int) -> File:
        """Read a file.

        :raises Malformed: when it is not understood to its last byte.
        """
        source = Source(descriptor, os.fstat(descriptor).st_size)
        head = source.read(0, self._first_read)
        begun = self._heads.read(head, source.size)
        if begun is not None:
            preamble, meta, syntax, dataset, pixels, start, size = begun
            place = None if pixels is None else _new(PixelPlace, (*pixels, start, size, False))
            return _new(File, (preamble, meta, syntax, dataset.order, dataset, place, None, source))
        return self._part_by_part(source, head)

    def _part_by_part(self, source: Source, head: bytes) -> File:
        if head[128:132] != b"DICM":
            raise Malformed("it has no preamble (PS3.10 section 7.1)")
        preamble = head[:128]
        meta, position = self._meta(source, head)
        syntax = _text(meta, 0x00020010)
        if not syntax:
            raise Malformed("it has no transfer syntax")
        if not syntax.startswith("1.2.840.10008.1.2"):
            raise Malformed("its transfer syntax is private")
        if syntax == DEFLATED:
            source, position, head = self._inflated(source, position), 0, b""
        order = _IMPLICIT if syntax == IMPLICIT else _BIG_ENDIAN if syntax == BIG_ENDIAN else _EXPLICIT
        dataset, end = self._level(source, position, order, head)
        pixels, tail = None, None
        if end < source.size:
            pixels = self._pixels(source, end, order)
            after = pixels.offset + pixels.size
            if after < source.size:
                tail = self._tail(source, after, order)
        file = File(preamble, meta, syntax, order, dataset, pixels, tail, source)
        if tail is None and syntax != DEFLATED:
            self._learn(file)
        return file

    def _learn(self, file: File) -> None:
        """Remember how a file begins, if nothing about it is out of the ordinary."""
        pixels, size = file.pixels, file.source.size
        start = size if pixels is None else pixels.offset
        layouts = self._layouts[file.order]
        place = None if pixels is None else (pixels.tag, pixels.vr)
        if pixels is not None and (pixels.encapsulated or pixels.tag not in _PIXELS or start + pixels.size != size):
            return
        begun = Begun(file.preamble, file.meta, file.syntax, file.dataset, place, start, size - start)
        meta, dataset = self._meta_layouts.by_which(file.meta), layouts.by_which(file.dataset)
        self._heads.learn(begun, file.preamble + b"DICM", meta, dataset, layouts.nested)

    def _meta(self, source: Source, head: bytes) -> tuple[Level, int]:
        while True:
            try:
                return self._meta_layouts.level(head, 132, source.size)
            except Short as short:
                head = source.read(0, _enlarged(short, len(head)))

    def _level(self, source: Source, start: int, order: Order, head: bytes) -> tuple[Level, int]:
        """Read elements up to the pixel data; return them and where they end."""
        base, data = (0, head) if head else (start, source.read(start, _FIRST_READ))
        while True:
            try:
                level, end = self._layouts[order].level(data, start - base, source.size - base)
            except Short as short:
                needed = _enlarged(short, len(data))
                base, data = start, source.read(start, needed + base)
                continue
            # The next file of a series is as long, or a little longer.
            self._first_read = min(max(_FIRST_READ, end * 9 // 8), _LONGEST_FIRST_READ)
            return level, base + end

    def _pixels(self, source: Source, start: int, order: Order) -> PixelPlace:
        head = source.read(start, 12)
        mark = "<" if order.little else ">"
        if len(head) < (8 if order.implicit else 12):
            raise Malformed("it ends in the middle of an element")
        group, element = struct.unpack_from(f"{mark}HH", head)
        tag = group << 16 | element
        if tag not in _PIXELS:
            # Without pixel data nothing may stand where it would: it is a tail of its own.
            return PixelPlace(0, b"", start, 0, encapsulated=False)
        vr, skip = (b"OW", 8) if order.implicit else (head[4:6], 12)
        if vr not in _PIXEL_VRS or (skip == 12 and head[6:8] != b"\0\0"):
            raise Malformed("its pixel data has a VR that is not allowed")
        (length,) = struct.unpack_from(f"{mark}L", head, skip - 4)
        offset = start + skip
        if length == _UNDEFINED:
            return PixelPlace(tag, vr, offset, _fragments(source, offset, mark), encapsulated=True)
        if offset + length > source.size or (self._strict and length % 2):
            raise Malformed("its pixel data is cut short, or of odd length")
        return PixelPlace(tag, vr, offset, length, encapsulated=False)

    def _tail(self, source: Source, start: int, order: Order) -> Level | None:
        if source.size - start > _LARGEST_HEADER:
            raise Malformed("what follows its pixel data is too long")
        data = source.read(start, source.size - start)
        if not self._strict and not data.strip(b"\0"):
            return None
        return parse_level(data, 0, len(data), order, strict=self._strict)[0]

    def _inflated(self, source: Source, start: int) -> Source:
        import zlib  # noqa: PLC0415 - few files are deflated

        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(source.read(start, _LARGEST_HEADER), _LARGEST_HEADER)
        except zlib.error:
            raise Malformed("its deflated dataset is damaged") from None
        if not inflater.eof or (self._strict and inflater.unused_data not in (b"", b"\0")):
            raise Malformed("its deflated dataset is too long, or doesn't end with the file")
        return Source(-1, len(data), data)

    def open(self, path: str | os.PathLike[str]) -> tuple[File, int]:
        """Read a file; return it with the open descriptor, which the caller closes.

        :raises Malformed: when it is not understood to its last byte.
        :raises OSError: when it cannot be read.
        """
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return self.read(descriptor), descriptor
        except BaseException:
            os.close(descriptor)
            raise


def _enlarged(short: Short, have: int) -> int:
    needed = max(short.needed, have * 4, _SECOND_READ)
    if short.needed > _LARGEST_HEADER:
        raise Malformed("an element other than the pixel data is too long")
    return needed


def _text(level: Level, tag: int) -> str:
    value = level.value(tag)
    return "" if value is None else value.decode("latin-1").strip(" \0")


def _fragments(source: Source, offset: int, mark: str) -> int:
    """Return the size of encapsulated pixel data, following its fragments (PS3.5 section A.4)."""
    position = offset
    while len(head := source.read(position, 8)) == 8:
        group, element, length = struct.unpack(f"{mark}HHL", head)
        if (group, element) == (0xFFFE, 0xE0DD) and length == 0:
            return position + 8 - offset
        if (group, element) != (0xFFFE, 0xE000) or length == _UNDEFINED or position + 8 + length > source.size:
            break
        position += 8 + length
    raise Malformed("its compressed pixel data is damaged or cut short")
