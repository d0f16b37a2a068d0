"""Ways to store an 8-bit picture: photometric interpretations, palettes, compression."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit

from demo.phantoms.dataset import set_pixels
from demo.phantoms.drawing import Array

Photometric = Literal["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR"]


def store_picture(ds: Dataset, grey: Array, photometric: Photometric, syntax: UID, planar: int) -> None:
    """Set the image pixel module from `(frames, rows, columns)`, in a colour space and a transfer syntax."""
    if photometric == "MONOCHROME1":
        set_pixels(ds, 255 - grey, photometric)
    elif photometric == "MONOCHROME2":
        set_pixels(ds, grey, photometric)
    elif photometric == "PALETTE COLOR":
        _palette(ds, grey)
    else:
        _colour(ds, grey, photometric, planar)
    if syntax in (JPEGBaseline8Bit, JPEG2000Lossless):
        _jpeg(ds, grey, photometric, syntax)
    elif syntax.is_compressed:
        ds.compress(syntax, generate_instance_uid=False)


def tint(grey: Array) -> Array:
    """RGB with a slight tint, so that a wrong colour space shows."""
    return np.stack([grey, (grey * 0.9).astype(np.uint8), (grey * 0.7).astype(np.uint8)], axis=-1)


def _colour(ds: Dataset, grey: Array, photometric: str, planar: int) -> None:
    rgb = tint(grey)
    if photometric == "RGB":
        set_pixels(ds, rgb, "RGB")
        if planar:
            ds.PlanarConfiguration = 1
            ds.PixelData = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).tobytes()
        return
    ybr = np.stack([np.asarray(Image.fromarray(frame).convert("YCbCr")) for frame in rgb])
    set_pixels(ds, ybr, photometric)
    if photometric == "YBR_FULL_422":
        # Two pixels share their chroma: Y1 Y2 Cb Cr (PS3.3 section C.7.6.3.1.2).
        packed = np.stack([ybr[:, :, ::2, 0], ybr[:, :, 1::2, 0], ybr[:, :, ::2, 1], ybr[:, :, ::2, 2]], axis=-1)
        ds.PixelData = packed.tobytes()


def _palette(ds: Dataset, grey: Array) -> None:
    """Palette whose darkest colour is index 7, not 0."""
    order = np.roll(np.arange(256), 7)  # entry i has the colour of grey order[i]
    index = np.argsort(order)[grey].astype(np.uint8)
    set_pixels(ds, index, "PALETTE COLOR")
    for colour, gain in (("Red", 1.0), ("Green", 0.9), ("Blue", 0.7)):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        values = np.rint(order * gain * 257).astype("<u2")
        setattr(ds, f"{colour}PaletteColorLookupTableData", values.tobytes())


def _jpeg(ds: Dataset, grey: Array, photometric: str, syntax: UID) -> None:
    """Compress grey or RGB with JPEG baseline (half the chroma) or with JPEG 2000, losing nothing."""
    lossy = syntax == JPEGBaseline8Bit
    grey_kind = photometric.startswith("MONOCHROME")
    encoded = []
    for frame in grey if grey_kind else tint(grey):
        stream = io.BytesIO()
        picture = Image.fromarray(255 - frame if photometric == "MONOCHROME1" else frame)
        if lossy:
            picture.save(stream, "JPEG", quality=90, subsampling="4:2:2")
        else:
            picture.save(stream, "JPEG2000", no_jp2=True, irreversible=False, mct=0 if grey_kind else 1)
        encoded.append(stream.getvalue())
    raw_size = len(ds.PixelData)
    ds.PixelData = encapsulate(encoded)
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    if not grey_kind:
        ds.PhotometricInterpretation = "YBR_FULL_422" if lossy else "YBR_RCT"
    if lossy:
        ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
        ds.LossyImageCompressionRatio = f"{raw_size / sum(map(len, encoded)):.2f}"
