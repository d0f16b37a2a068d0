"""Write an image again with boxes masked: same headers and UIDs, uncompressed pixels.

The pixels stream frame by frame. A file in an uncompressed little-endian transfer syntax keeps it, every other becomes
Explicit VR Little Endian, which every receiver takes and which loses nothing that was left.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box
from airlock.pixels.check import check_rewritten
from airlock.pixels.decode import Array, Layout, StoredImage, as_rewritten
from airlock.pixels.mask import masked

PIXEL_DATA = 0x7FE00010
MAX_ELEMENT_BYTES = 0xFFFFFFFE
FILE_NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

LOSSY_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
    HTJ2K: "ISO_15444_15",
}
"""Lossy Image Compression Method of transfer syntaxes that (may) lose (PS3.3 section C.7.6.1.1.5.1)."""

WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def rewrite_file(source: Path, folder: Path, boxes: dict[int, list[Box]]) -> tuple[Path, int]:
    """Write `<folder>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm` and prove it, decoding it again.

    :param boxes: what to mask, by frame number.
    :return: the new file and its number of frames.
    :raises InstanceNotUnderstood: when it cannot be done for certain; then there is no new file.
    """
    image = StoredImage(source)
    if image.keyword != "PixelData":
        raise InstanceNotUnderstood("it has no pixels of a kind that can be masked")
    target = _target(image.dataset, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _write(image, part, boxes)
        frames = check_rewritten(source, part, boxes)
        # Never over another file: two inputs with one UID would lose one. The empty file reserves the name.
        target.touch(exist_ok=False)
        part.replace(target)
    except FileExistsError:
        raise InstanceNotUnderstood("another input has the same SOPInstanceUID") from None
    except InstanceNotUnderstood:
        raise
    except Exception as error:  # noqa: BLE001 - values that cannot be encoded make pydicom raise almost anything
        raise InstanceNotUnderstood(f"it cannot be written ({type(error).__name__})") from None
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return target, frames


def _target(dataset: Dataset, folder: Path) -> Path:
    series, instance = (str(dataset.get(k) or "") for k in ("SeriesInstanceUID", "SOPInstanceUID"))
    if not (FILE_NAME_PATTERN.fullmatch(series) and FILE_NAME_PATTERN.fullmatch(instance)):
        raise InstanceNotUnderstood("its SeriesInstanceUID or SOPInstanceUID is missing or not a UID")
    return folder / series / f"{instance}.dcm"


def _write(image: StoredImage, part: Path, boxes: dict[int, list[Box]]) -> None:
    dataset = image.dataset
    compressed_bytes = len(dataset.PixelData)
    frames = _masked_frames(image, boxes)
    layout, first = next(frames)
    total = -(-first.size * layout.bits_allocated * image.frames // 8)
    if total + total % 2 > MAX_ELEMENT_BYTES:
        raise InstanceNotUnderstood("uncompressed, its pixels would be larger than 4 GiB")
    syntax = image.syntax
    if syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        if syntax == ExplicitVRBigEndian:
            _swap_words(dataset)
        _note_lossy(dataset, syntax, total / max(compressed_bytes, 1))
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _clean_header(dataset, layout)
    tail = Dataset()
    for tag in [t for t in dataset.keys() if t > PIXEL_DATA]:  # noqa: SIM118 - iterating a Dataset parses its values
        tail[tag] = dataset[tag]
        del dataset[tag]
    del dataset[PIXEL_DATA]
    with part.open("wb") as stream:
        dcmwrite(stream, dataset, enforce_file_format=True)
        implicit = dataset.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
        stream.write(struct.pack("<HH", 0x7FE0, 0x0010) + (b"" if implicit else b"OW\0\0"))
        stream.write(struct.pack("<I", total + total % 2))
        _write_pixels(stream, layout, first, frames)
        stream.write(b"\0" * (total % 2) + _encode(tail, implicit))


def _masked_frames(image: StoredImage, boxes: dict[int, list[Box]]) -> Iterator[tuple[Layout, Array]]:
    expected: Layout | None = None
    for stored in image.read():
        frame = as_rewritten(stored, image)
        expected = expected or frame.layout
        if frame.layout != expected:
            raise InstanceNotUnderstood("its frames are of different kinds")
        yield frame.layout, masked(frame, image.pixels, boxes.get(frame.number, []))


def _write_pixels(stream: BinaryIO, layout: Layout, first: Array, rest: Iterator[tuple[Layout, Array]]) -> None:
    if layout.bits_allocated != 1:
        stream.write(_little(first))
        for _, pixels in rest:
            stream.write(_little(pixels))
        return
    # One bit per pixel: frames follow each other without gaps (PS3.5 section 8.1.1).
    waiting = first.ravel()
    for _, pixels in rest:
        whole = waiting.size // 8 * 8
        stream.write(np.packbits(waiting[:whole], bitorder="little").tobytes())
        waiting = np.concatenate([waiting[whole:], pixels.ravel()])
    stream.write(np.packbits(waiting, bitorder="little").tobytes())


def _little(pixels: Array) -> bytes:
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _encode(dataset: Dataset, implicit: bool) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, implicit
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())


def _clean_header(dataset: Dataset, layout: Layout) -> None:
    dataset.BurnedInAnnotation = "NO"
    dataset.PhotometricInterpretation = layout.photometric
    dataset.BitsAllocated, dataset.BitsStored = layout.bits_allocated, layout.bits_stored
    dataset.HighBit = layout.bits_stored - 1
    if layout.samples > 1:
        dataset.PlanarConfiguration = 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)
    _remove_icons(dataset)
    for group in range(0x6000, 0x6020, 2):
        # An overlay that lived in unused bits of the pixels is gone with them.
        if (group, 0x0102) in dataset and dataset[group, 0x0102].value and (group, 0x3000) not in dataset:
            for tag in [t for t in dataset.keys() if t.group == group]:  # noqa: SIM118 - see above
                del dataset[tag]


def _remove_icons(dataset: Dataset) -> None:
    """Remove small copies of the picture at every level: they still show the text."""
    if "IconImageSequence" in dataset:
        del dataset.IconImageSequence
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                _remove_icons(item)


def _note_lossy(dataset: Dataset, syntax: UID, ratio: float) -> None:
    """Keep the history of a lossy compression true although its transfer syntax is gone."""
    method = LOSSY_METHODS.get(syntax)
    if method is None or (syntax in (JPEG2000, HTJ2K) and dataset.get("LossyImageCompression") == "00"):
        return
    dataset.LossyImageCompression = "01"
    if not dataset.get("LossyImageCompressionMethod"):
        dataset.LossyImageCompressionMethod = method
    if not dataset.get("LossyImageCompressionRatio"):
        dataset.LossyImageCompressionRatio = f"{ratio:.2f}"


def _swap_words(dataset: Dataset) -> None:
    """Turn the words of binary values, which pydicom writes in the order it read them."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                _swap_words(item)
        elif element.tag != PIXEL_DATA and element.VR in WORD_BYTES and isinstance(element.value, bytes):
            size = WORD_BYTES[element.VR]
            if len(element.value) % size == 0:
                element.value = np.frombuffer(element.value, dtype=f">u{size}").byteswap().tobytes()
