"""Colour spaces: as a rewritten file has them, and as a person sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.decode import LOSSY_SYNTAXES, PARTIAL, Array, Frame, StoredImage


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
            return _eight_bits(apply_color_lut(pixels, dataset)[..., :3])
        if photometric == PARTIAL:
            return partial_to_rgb(pixels, frame.layout.bits_stored)
        if photometric == "YBR_FULL":
            pixels = convert_color_space(pixels, "YBR_FULL", "RGB")
        elif photometric != "RGB":
            raise InstanceNotUnderstood("its photometric interpretation is not known")
    except InstanceNotUnderstood:
        raise
    except Exception as error:  # noqa: BLE001 - a broken palette makes pydicom raise almost anything
        raise InstanceNotUnderstood(f"its colours cannot be decoded ({type(error).__name__})") from None
    if pixels.dtype.itemsize > 1:
        pixels = pixels >> max(frame.layout.bits_stored - 8, 0)
    return np.ascontiguousarray(pixels).astype(np.uint8)


def _eight_bits(colours: Array) -> npt.NDArray[np.uint8]:
    """Return colours of a palette with 8 bits; some palettes hold 8 bits in words of 16."""
    wide = colours.dtype.itemsize > 1 and colours.max(initial=0) > 255
    return np.ascontiguousarray(colours >> 8 if wide else colours).astype(np.uint8)


def partial_to_rgb(pixels: Array, bits: int) -> npt.NDArray[np.uint8]:
    """Return colours of studio range, Y from 16 to 235 (ITU-R BT.601), as RGB of 8 bits."""
    scaled = pixels.astype(np.float32) / 2 ** (bits - 8)
    y, cb, cr = (scaled[..., 0] - 16) * (255 / 219), scaled[..., 1] - 128, scaled[..., 2] - 128
    cb, cr = cb * (255 / 224), cr * (255 / 224)
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    result: npt.NDArray[np.uint8] = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return result


def palette_darkest(dataset: Dataset) -> int:
    """Return the pixel value whose palette colour is the darkest (PS3.3 section C.7.6.3.1.5).

    :param dataset: the image pixel module, with a palette that pixels of this kind can reach.
    """
    entries, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    bits, signed = int(dataset.BitsStored), int(dataset.get("PixelRepresentation") or 0)
    smallest, largest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    values = np.arange(max(first, smallest), min(first + (entries or 65536) - 1, largest) + 1)
    colours = apply_color_lut(values[None, :], dataset)[0, :, :3].astype(np.int64)
    return int(values[int(colours.sum(axis=1).argmin())])
