"""Compress changed frames again without loss, so that the others can keep the bytes they came with.

The bytes of a frame without boxes are only kept when the changed ones can be written in the same transfer syntax, and
mean the same in it. Where that cannot be, the whole object becomes uncompressed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.decode import Frame, StoredImage
from airlock.pixels.stored import ENCAPSULATED_UNCOMPRESSED

LOSSLESS_ENCODERS = {
    RLELossless: RLELossless,
    JPEGLSLossless: JPEGLSLossless,
    # What these two syntaxes hold may be without loss.
    JPEGLSNearLossless: JPEGLSLossless,
    JPEG2000Lossless: JPEG2000Lossless,
    JPEG2000: JPEG2000Lossless,
    UID(ENCAPSULATED_UNCOMPRESSED): UID(ENCAPSULATED_UNCOMPRESSED),
}
"""Encoder whose output is valid in a transfer syntax. HTJ2K and the JPEG family have none here."""

SAME_COLOURS = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"}
"""Photometric interpretations whose decoded values are what is encoded."""


def encoder_for(image: StoredImage) -> UID | None:
    """Return the encoder for changed frames of an image; None when it must be uncompressed."""
    encoder = LOSSLESS_ENCODERS.get(image.syntax)
    photometric = str(image.pixels.PhotometricInterpretation)
    reversible = photometric == "YBR_RCT" and encoder == JPEG2000Lossless
    return encoder if photometric in SAME_COLOURS or reversible else None


def encode(frame: Frame, image: StoredImage, encoder: UID) -> bytes:
    """Compress a frame without loss.

    :raises InstanceNotUnderstood: when the encoder cannot.
    """
    layout, pixels = frame.layout, np.ascontiguousarray(frame.pixels)
    if encoder == ENCAPSULATED_UNCOMPRESSED:
        return _plain(frame, image)
    photometric = str(image.pixels.PhotometricInterpretation)
    options: dict[str, Any] = {"planar_configuration": 0} if layout.samples > 1 else {}
    try:
        return bytes(
            get_encoder(encoder).encode(
                pixels,
                rows=pixels.shape[0],
                columns=pixels.shape[1],
                number_of_frames=1,
                samples_per_pixel=layout.samples,
                bits_allocated=pixels.dtype.itemsize * 8,
                bits_stored=layout.bits_stored,
                pixel_representation=int(layout.signed),
                photometric_interpretation=photometric,
                **options,
            )
        )
    except Exception as error:  # noqa: BLE001 - codecs raise almost anything
        raise InstanceNotUnderstood(f"a frame cannot be compressed again ({type(error).__name__})") from None


def _plain(frame: Frame, image: StoredImage) -> bytes:
    """Return a frame uncompressed, in the layout of the frames that keep their bytes."""
    if frame.layout.bits_allocated == 1:
        return np.packbits(frame.pixels, bitorder="little").tobytes()
    by_plane = frame.layout.samples > 1 and image.pixels.get("PlanarConfiguration") == 1
    pixels = frame.pixels.transpose(2, 0, 1) if by_plane else frame.pixels
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
