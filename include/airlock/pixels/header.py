"""What changes in the header of an image whose pixels were masked."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
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

from airlock.findings import Overlays
from airlock.pixels.decode import Layout
from airlock.pixels.overlays import clean_planes

LOSSY_METHODS = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGExtended12Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
    HTJ2K: "ISO_15444_15",
}
"""Lossy Image Compression Method of transfer syntaxes that (may) lose (PS3.3 section C.7.6.1.1.5.1)."""

WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def clean_header(dataset: Dataset, overlays: Overlays) -> None:
    """Say that no text is burned in, remove what still shows it, clear boxes in overlay planes.

    :raises InstanceNotUnderstood: when an overlay cannot be cleaned.
    """
    dataset.BurnedInAnnotation = "NO"
    # They count in bytes of the old frames; the writer makes new ones.
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength"):
        if keyword in dataset:
            delattr(dataset, keyword)
    _remove_icons(dataset)
    clean_planes(dataset, overlays)


def _remove_icons(dataset: Dataset) -> None:
    """Remove small copies of the picture at every level: they still show the text."""
    if "IconImageSequence" in dataset:
        del dataset.IconImageSequence
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                _remove_icons(item)


def uncompressed(dataset: Dataset, syntax: UID, layout: Layout) -> None:
    """Make the header that of native pixels in a little-endian transfer syntax."""
    if syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        if syntax == ExplicitVRBigEndian:
            _swap_words(dataset)
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PhotometricInterpretation = layout.photometric
    dataset.BitsAllocated, dataset.BitsStored = layout.bits_allocated, layout.bits_stored
    dataset.HighBit = layout.bits_stored - 1
    if layout.samples > 1:
        dataset.PlanarConfiguration = 0


def note_lossy(dataset: Dataset, syntax: UID, ratio: float | None) -> None:
    """Keep the history of a lossy compression true, also when its transfer syntax goes.

    :param ratio: bytes without to bytes with compression; None when the compression stays.
    """
    method = LOSSY_METHODS.get(syntax)
    if method is None or (syntax in (JPEG2000, HTJ2K) and dataset.get("LossyImageCompression") == "00"):
        return
    if ratio is None and not dataset.get("LossyImageCompression"):
        return
    dataset.LossyImageCompression = "01"
    if not dataset.get("LossyImageCompressionMethod"):
        dataset.LossyImageCompressionMethod = method
    if ratio is not None and not dataset.get("LossyImageCompressionRatio"):
        dataset.LossyImageCompressionRatio = f"{ratio:.2f}"


def _swap_words(dataset: Dataset) -> None:
    """Turn the words of binary values, which pydicom writes in the order it read them."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                _swap_words(item)
        elif element.VR in WORD_BYTES and isinstance(element.value, bytes):
            size = WORD_BYTES[element.VR]
            if len(element.value) % size == 0:
                element.value = np.frombuffer(element.value, dtype=f">u{size}").byteswap().tobytes()
