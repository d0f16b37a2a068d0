"""Uncompressed frames that the decoders of pydicom don't read: parts of words, chroma that pixels share."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

Array = npt.NDArray[Any]

HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422")
"""Photometric interpretations in which two pixels share their chroma, uncompressed (PS3.3 section C.7.6.3.1.2)."""


def frame_bits(rows: int, columns: int, samples: int, allocated: int, photometric: str) -> int:
    """Return the bits of an uncompressed frame."""
    bits = rows * columns * samples * allocated
    return bits // 3 * 2 if photometric in HALF_CHROMA else bits


def read_bits(stream: BinaryIO, offset: int, begin: int, end: int, *, turned: bool) -> bytes:
    """Return the bytes, in little-endian order, that hold some bits of an uncompressed value.

    :param offset: of the value in the stream.
    :param begin: first bit of the value that is wanted; it lies in the first byte that is returned.
    :param end: bit behind the last one.
    :param turned: whether the value was stored as big-endian words of 16 bits (PS3.5 section 8.1.1 and annex A.3).
    """
    unit = 16 if turned else 8
    first, last = begin // unit * unit // 8, -(-end // unit) * unit // 8
    stream.seek(offset + first)
    content = stream.read(last - first)
    if turned:
        content = np.frombuffer(content[: len(content) // 2 * 2], ">u2").astype("<u2").tobytes()
    return content[begin // 8 - first :][: -(-end // 8) - begin // 8]


def unpack_bits(content: bytes, skip: int, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Return a frame of one bit a pixel as `(rows, columns)` of 0 and 1.

    :param skip: bits of the first byte that belong to the frame before.
    """
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    return bits[skip : skip + rows * columns].reshape(rows, columns)


def has_hidden_bits(content: bytes, allocated: int, stored: int, *, little_endian: bool) -> bool:
    """Return whether bits of a frame that no value uses hold something (PS3.5 section 8.1.1).

    They should be zero, or repeat the sign. Overlays were put there once, and stay when only their header is removed.

    :param allocated: 8, 16 or 32.
    """
    values = np.frombuffer(content, f"{'<' if little_endian else '>'}u{allocated // 8}")
    above = values >> stored
    if not above.any():
        return False
    ones = (1 << (allocated - stored)) - 1
    return bool((above != np.where(values >> (stored - 1) & 1, ones, 0)).any())


def expand_chroma(content: bytes, dtype: str, rows: int, columns: int) -> Array:
    """Return `Y Y Cb Cr` for each two pixels as `(rows, columns, 3)`.

    :param dtype: of one stored value.
    :raises ValueError: when the frame is cut off, or has an odd number of columns.
    """
    packed = np.frombuffer(content, dtype)[: rows * columns * 2].reshape(rows, columns // 2, 4)
    pixels = np.empty((rows, columns, 3), packed.dtype.newbyteorder("="))
    pixels[:, ::2, 0], pixels[:, 1::2, 0] = packed[..., 0], packed[..., 1]
    for sample in (1, 2):
        pixels[..., sample] = np.repeat(packed[..., sample + 1], 2, axis=1)
    return pixels


def share_chroma(pixels: Array) -> Array:
    """Undo :func:`expand_chroma`: `(rows, columns / 2, 4)`."""
    return np.stack([pixels[:, ::2, 0], pixels[:, 1::2, 0], pixels[:, ::2, 1], pixels[:, ::2, 2]], axis=-1)


def turn_palettes(header: Dataset) -> None:
    """Turn the words of palettes that were read from a big-endian file; pydicom turns those of segmented ones only."""
    for colour in ("Red", "Green", "Blue", "Alpha"):
        element = header.get(f"{colour}PaletteColorLookupTableData") and header[f"{colour}PaletteColorLookupTableData"]
        if element and element.VR == "OW":
            element.value = np.frombuffer(element.value, ">u2").astype("<u2").tobytes()
