"""Read stored pixels frame by frame, as they are stored: no windowing, no change of the colour space.

Whatever the decoders cannot vouch for is refused: frames that are missing or too many, bits that are elsewhere than
the header says, transfer syntaxes without a decoder (PS3.5 section 8 and annex A, PS3.3 section C.7.6.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.jpeg12 import decode_12_bits
from airlock.pixels.native import expand_chroma, frame_bits, read_bits, unpack_bits
from airlock.pixels.stored import ENCAPSULATED_UNCOMPRESSED, Span, frame_spans, parse, pixel_module

Array = npt.NDArray[Any]

LOSSY_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)
"""Transfer syntaxes that lose, or may lose."""

MAX_FRAME_BYTES = 1 << 30

PARTIAL = "YBR_PARTIAL_422"
"""Black is 16, white 235, and two pixels share their chroma (retired; PS3.3-2017 section C.7.6.3.1.2)."""


@dataclass(frozen=True)
class Layout:
    """What the values of a decoded frame mean.

    :param photometric: Photometric Interpretation of the decoded values, which may differ from the header's.
    """

    photometric: str
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool


@dataclass(frozen=True)
class Frame:
    """One decoded frame: `(rows, columns)` or `(rows, columns, samples)`."""

    number: int
    pixels: Array
    layout: Layout


class StoredImage:
    """An image file, opened.

    `dataset` is the file without its pixels; `pixels` is a copy of its image pixel module that stays as it is when the
    header is changed while frames are still read.

    :param path: a DICOM file.
    :raises InstanceNotUnderstood: when it is not a DICOM file, or its image cannot be decoded for certain.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.stored = parse(Path(path))
        except InstanceNotUnderstood:
            raise
        except Exception as error:  # noqa: BLE001 - a hostile file makes the parser raise almost anything
            raise InstanceNotUnderstood(f"the file cannot be parsed ({type(error).__name__})") from None
        self.dataset: Dataset = self.stored.dataset
        self.keyword = self.stored.element.keyword if self.stored.element else None
        self.frames = 0
        self.pixels = Dataset()
        self._spans: list[list[Span]] = []
        if self.keyword is None:
            return
        try:
            self.pixels = pixel_module(self.dataset)
            self._check()
        except InstanceNotUnderstood:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise InstanceNotUnderstood(f"the image header cannot be used ({type(error).__name__})") from None

    @property
    def has_pixels(self) -> bool:
        """Whether there is anything to look at (presentation states, reports and plans have no pixels)."""
        return self.keyword is not None

    @property
    def syntax(self) -> UID:
        """Transfer syntax of the file."""
        return UID(self.pixels.file_meta.TransferSyntaxUID)

    def _check(self) -> None:
        ds = self.pixels
        self.frames = int(ds.get("NumberOfFrames") or 1)
        rows, columns, samples = int(ds.Rows), int(ds.Columns), int(ds.get("SamplesPerPixel") or 1)
        allocated = int(ds.BitsAllocated)
        if min(self.frames, rows, columns, samples, allocated) < 1:
            raise InstanceNotUnderstood("the image has no extent")
        if rows * columns * samples * allocated // 8 > MAX_FRAME_BYTES:
            raise InstanceNotUnderstood("one frame is larger than 1 GiB")
        if not self.syntax.is_transfer_syntax:
            raise InstanceNotUnderstood("its transfer syntax is not known")
        photometric = str(ds.get("PhotometricInterpretation", ""))
        if photometric.startswith("YBR_PARTIAL") and (self.syntax.is_encapsulated or photometric != PARTIAL):
            raise InstanceNotUnderstood(f"it has compressed {photometric} colours")
        if self.keyword == "PixelData" and int(ds.get("HighBit", ds.BitsStored - 1)) != ds.BitsStored - 1:
            raise InstanceNotUnderstood("the pixel values do not start at bit 0")
        try:
            get_decoder(self._coding)
        except NotImplementedError:
            raise InstanceNotUnderstood("no decoder for its transfer syntax") from None
        self._frame_bits = frame_bits(rows, columns, samples, allocated, photometric)
        self._check_length()

    def _check_length(self) -> None:
        """Refuse hidden frames: an image that holds more than its header says would be examined in part only."""
        assert self.stored.element
        if self.syntax.is_encapsulated:
            self._spans = frame_spans(self.stored, self.frames)
            return
        length = self.stored.element.value[1]
        found = length * 8 // self._frame_bits if self._frame_bits * self.frames > 64 else self.frames
        if found != self.frames:
            raise InstanceNotUnderstood(f"it holds {found} frames where its header says {self.frames}")

    @property
    def compressed_bytes(self) -> int:
        """Bytes of the encapsulated frames, or of the native pixels."""
        assert self.stored.element
        spans = [span for frame in self._spans for span in frame]
        return sum(length for _, length in spans) or self.stored.element.value[1]

    @property
    def _coding(self) -> UID:
        """What single frames are coded as."""
        return ExplicitVRLittleEndian if self.syntax == ENCAPSULATED_UNCOMPRESSED else self.syntax

    @property
    def _turned(self) -> bool:
        """Whether values smaller than a word are stored in big-endian words."""
        assert self.stored.element
        small = self.keyword == "PixelData" and self.pixels.BitsAllocated <= 8
        return small and not self.syntax.is_little_endian and self.stored.element.vr == "OW"

    def encoded(self, numbers: Iterable[int] | None = None) -> Iterator[bytes]:
        """Yield frames as they are stored, all or those with the given numbers: a compressed frame in one piece."""
        assert self.stored.element
        with self.stored.open() as stream:
            for number in range(self.frames) if numbers is None else numbers:
                if not self._spans:
                    begin, end = number * self._frame_bits, (number + 1) * self._frame_bits
                    yield read_bits(stream, self.stored.element.value[0], begin, end, turned=self._turned)
                    continue
                pieces = []
                for offset, length in self._spans[number]:
                    stream.seek(offset)
                    pieces.append(stream.read(length))
                yield b"".join(pieces)

    def read(self, numbers: Iterable[int] | None = None) -> Iterator[Frame]:
        """Decode frames, all or those with the given numbers (from 0), one at a time.

        :raises InstanceNotUnderstood: when one cannot be decoded.
        """
        wanted = list(range(self.frames) if numbers is None else numbers)
        try:
            for number, content in zip(wanted, self.encoded(wanted), strict=True):
                yield Frame(number, *(self._unpack(number, content) if self._packed_bits else self.decode(content)))
        except InstanceNotUnderstood:
            raise
        except Exception as error:  # noqa: BLE001 - codecs raise almost anything
            raise InstanceNotUnderstood(f"its pixels cannot be decoded ({type(error).__name__})") from None

    @property
    def _packed_bits(self) -> bool:
        return self.keyword == "PixelData" and self.pixels.BitsAllocated == 1 and not self._coding.is_encapsulated

    def _unpack(self, number: int, content: bytes) -> tuple[Array, Layout]:
        """Read a frame of one bit per pixel; pydicom 3.0 cannot when frames don't begin at a byte."""
        ds = self.pixels
        skip = 0 if self._spans else number * self._frame_bits % 8
        bits = unpack_bits(content, skip, int(ds.Rows), int(ds.Columns))
        return bits, Layout(str(ds.PhotometricInterpretation), 1, 1, 1, False)

    def decode(self, content: bytes) -> tuple[Array, Layout]:
        """Decode one frame of this image's kind.

        :param content: of :meth:`encoded`.
        :raises Exception: what the decoder raises.
        """
        assert self.stored.element
        assert self.keyword
        ds = self.pixels
        if self.syntax == JPEGExtended12Bit and ds.BitsStored > 8:
            return decode_12_bits(content, ds), Layout(str(ds.PhotometricInterpretation), 1, 16, ds.BitsStored, False)
        if str(ds.get("PhotometricInterpretation", "")) == PARTIAL:
            return self._shared_chroma(content)
        single = Dataset()
        single.update(ds)
        single.file_meta = deepcopy(ds.file_meta)
        single.file_meta.TransferSyntaxUID = self._coding
        single.NumberOfFrames = 1
        compressed = self._coding.is_encapsulated
        value = encapsulate([content], has_bot=False) if compressed else content + b"\0" * (len(content) % 2)
        vr = "OB" if compressed or self._turned else self.stored.element.vr
        single.add_new(self.keyword, vr, value)
        single[self.keyword].is_undefined_length = compressed
        single.set_original_encoding(*self.dataset.original_encoding)
        [(pixels, found)] = get_decoder(self._coding).iter_array(single, raw=True, allow_excess_frames=False)
        return pixels, self._layout(pixels, found)

    def _shared_chroma(self, content: bytes) -> tuple[Array, Layout]:
        ds = self.pixels
        order = "<" if self.syntax.is_little_endian else ">"
        pixels = expand_chroma(content, f"{order}u{ds.BitsAllocated // 8}", ds.Rows, ds.Columns)
        return pixels, Layout(PARTIAL, 3, ds.BitsAllocated, ds.BitsStored, False)

    def _layout(self, pixels: Array, found: dict[str, Any]) -> Layout:
        expected = (self.pixels.Rows, self.pixels.Columns)
        if pixels.shape[:2] != expected:
            raise InstanceNotUnderstood("a decoded frame has another size than the header says")
        photometric = str(found["photometric_interpretation"])
        if photometric == "YBR_FULL_422":
            photometric = "YBR_FULL"  # decoders return every pixel's chroma
        floating = self.keyword != "PixelData"
        return Layout(
            photometric=photometric,
            samples=int(found["samples_per_pixel"]),
            bits_allocated=int(found["bits_allocated"]),
            bits_stored=int(found["bits_allocated"] if floating else found["bits_stored"]),
            signed=floating or bool(found["pixel_representation"]),
        )
