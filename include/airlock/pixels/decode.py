"""Read stored pixels frame by frame, as they are stored: no windowing, no change of the colour space.

Whatever the decoders cannot vouch for is refused: frames that are missing or too many, bits that are elsewhere than
the header says, transfer syntaxes without a decoder (PS3.5 section 8 and annex A, PS3.3 section C.7.6.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.encaps import generate_fragmented_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.uid import HTJ2K, JPEG2000, UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from airlock.errors import InstanceNotUnderstood

Array = npt.NDArray[Any]

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
LOSSY_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, HTJ2K)
"""Transfer syntaxes that lose, or may lose."""

MAX_FRAME_BYTES = 1 << 30


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

    `dataset` is the whole file; `pixels` is a copy of its image pixel module that stays as it is when the header is
    changed while frames are still read.

    :param path: a DICOM file.
    :raises InstanceNotUnderstood: when it is not a DICOM file, or its image cannot be decoded for certain.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.dataset: Dataset = dcmread(path)
        except Exception as error:  # noqa: BLE001 - a hostile file makes the parser raise almost anything
            raise InstanceNotUnderstood(f"the file cannot be parsed ({type(error).__name__})") from None
        self.keyword = next((k for k in PIXEL_KEYWORDS if k in self.dataset), None)
        self.frames = 0
        self.pixels = Dataset()
        if self.keyword is None:
            return
        try:
            self.pixels = _pixel_module(self.dataset, self.keyword)
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
        if self.keyword == "PixelData" and int(ds.get("HighBit", ds.BitsStored - 1)) != ds.BitsStored - 1:
            raise InstanceNotUnderstood("the pixel values do not start at bit 0")
        try:
            get_decoder(self.syntax)
        except NotImplementedError:
            raise InstanceNotUnderstood("no decoder for its transfer syntax") from None
        self._check_length(rows * columns * samples * allocated)

    def _check_length(self, frame_bits: int) -> None:
        """Refuse hidden frames: an image that holds more than its header says would be examined in part only."""
        assert self.keyword
        stored = self.pixels[self.keyword].value or b""
        if self.syntax.is_encapsulated:
            found = sum(1 for _ in generate_fragmented_frames(stored, number_of_frames=self.frames))
        else:
            if str(self.pixels.PhotometricInterpretation) == "YBR_FULL_422":
                frame_bits = frame_bits // 3 * 2
            found = len(stored) * 8 // frame_bits if frame_bits * self.frames > 64 else self.frames
        if found != self.frames:
            raise InstanceNotUnderstood(f"it holds {found} frames where its header says {self.frames}")

    def read(self, numbers: Iterable[int] | None = None) -> Iterator[Frame]:
        """Decode frames, all or those with the given numbers (from 0), one at a time.

        :raises InstanceNotUnderstood: when one cannot be decoded.
        """
        wanted = list(range(self.frames) if numbers is None else numbers)
        if not wanted:
            return
        try:
            if self.keyword == "PixelData" and self.pixels.BitsAllocated == 1 and not self.syntax.is_encapsulated:
                yield from map(self._unpack, wanted)
                return
            decoded = self._decode(wanted)
            for number, (pixels, found) in zip(wanted, decoded, strict=True):
                yield Frame(number, pixels, self._layout(pixels, found))
        except InstanceNotUnderstood:
            raise
        except Exception as error:  # noqa: BLE001 - codecs raise almost anything
            raise InstanceNotUnderstood(f"its pixels cannot be decoded ({type(error).__name__})") from None

    def _decode(self, wanted: list[int]) -> Iterator[tuple[Array, dict[str, Any]]]:
        # pydicom 3.0 takes the second frame of native YBR_FULL_422 for one that isn't subsampled: one call per frame.
        packed = not self.syntax.is_encapsulated and self.pixels.PhotometricInterpretation == "YBR_FULL_422"
        decoder = get_decoder(self.syntax)
        for group in [[number] for number in wanted] if packed else [wanted]:
            yield from decoder.iter_array(self.pixels, indices=group, raw=True, allow_excess_frames=False)

    def _unpack(self, number: int) -> Frame:
        """Read a frame of one bit per pixel; pydicom 3.0 cannot when frames don't begin at a byte."""
        ds = self.pixels
        if not self.syntax.is_little_endian:
            raise InstanceNotUnderstood("it has one bit per pixel, in words of big-endian order")
        size = ds.Rows * ds.Columns * int(ds.get("SamplesPerPixel") or 1)
        begin, end = number * size, (number + 1) * size
        stored = np.frombuffer(ds.PixelData, np.uint8)[begin // 8 : -(-end // 8)]
        bits = np.unpackbits(stored, bitorder="little")[begin % 8 :][:size].reshape(ds.Rows, ds.Columns)
        return Frame(number, bits, Layout(str(ds.PhotometricInterpretation), 1, 1, 1, False))

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


def _pixel_module(dataset: Dataset, keyword: str) -> Dataset:
    result = Dataset()
    result.file_meta = deepcopy(dataset.file_meta)
    for element in dataset.group_dataset(0x0028):
        result.add(deepcopy(element))
    for name in (keyword, "ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in dataset:
            result.add(dataset[name])
    return result


def as_rewritten(frame: Frame, image: StoredImage) -> Frame:
    """Return a frame in the colour space in which a rewritten file stores it.

    What was compressed with loss as YBR becomes RGB, once: uncompressed YBR is not valid in most IODs. Everything else
    stays as it is stored, because the conversion rounds.

    :raises InstanceNotUnderstood: when it cannot be converted.
    """
    if frame.layout.photometric != "YBR_FULL" or image.syntax not in LOSSY_SYNTAXES:
        return frame
    if frame.layout.bits_stored != 8:
        raise InstanceNotUnderstood("it has YBR colours of more or less than 8 bits")
    pixels = convert_color_space(frame.pixels, "YBR_FULL", "RGB")
    return Frame(frame.number, pixels, replace(frame.layout, photometric="RGB"))


def displayable(frame: Frame, dataset: Dataset) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
    """Return a frame as a person would see it: grey as it is, `(rows, columns)`, or 8-bit RGB.

    :raises InstanceNotUnderstood: when its photometric interpretation is not known.
    """
    photometric, pixels = frame.layout.photometric, frame.pixels
    if photometric in ("MONOCHROME1", "MONOCHROME2") and pixels.ndim == 2:
        return pixels.astype(np.float32)
    try:
        if photometric == "PALETTE COLOR" and pixels.ndim == 2:
            pixels = apply_color_lut(pixels, dataset)[..., :3]
        elif photometric == "YBR_FULL":
            pixels = convert_color_space(pixels, "YBR_FULL", "RGB")
        elif photometric != "RGB":
            raise InstanceNotUnderstood("its photometric interpretation is not known")
    except InstanceNotUnderstood:
        raise
    except Exception as error:  # noqa: BLE001 - a broken palette makes pydicom raise almost anything
        raise InstanceNotUnderstood(f"its colours cannot be decoded ({type(error).__name__})") from None
    if pixels.dtype.itemsize > 1:
        bits = 16 if photometric == "PALETTE COLOR" else frame.layout.bits_stored
        pixels = pixels >> max(bits - 8, 0)
    return np.ascontiguousarray(pixels).astype(np.uint8)


def palette_darkest(dataset: Dataset) -> int:
    """Return the pixel value whose palette colour is the darkest (PS3.3 section C.7.6.3.1.5)."""
    entries, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    values = np.arange(first, first + (entries or 65536))
    colours = apply_color_lut(values[None, :], dataset)[0, :, :3].astype(np.int64)
    return int(values[int(colours.sum(axis=1).argmin())])
