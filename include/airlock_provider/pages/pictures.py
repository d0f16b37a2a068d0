"""Frames as PNG pictures for the review page. They are made when they are asked for, and never written to a disk."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
import numpy.typing as npt
from PIL import Image

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.colours import displayable
from airlock.pixels.decode import StoredImage
from airlock.pixels.views import stretch

THUMBNAIL = 240
"""Longer side of a small picture, in pixels."""

_AT_ONCE = BoundedSemaphore(2)
"""A frame can be a gigabyte while it is decoded; the API server has other work too."""

Values = npt.NDArray[np.float32] | npt.NDArray[np.uint8]


def png_of(original: Path, shown: Path, frame: int, *, small: bool = False) -> bytes:
    """Return a frame as PNG.

    Grey frames are shown with the window of the original, from its 1st to its 99.5th percentile, so that a masked
    frame compares with it.

    :param shown: the file whose frame is shown: the original, or its masked version.
    :param frame: number of the frame, from 0.
    :raises InstanceNotUnderstood: when there is no such frame or it cannot be decoded.
    """
    changed = shown.stat().st_mtime_ns
    with _AT_ONCE:
        return _png(original, shown, frame, small, changed)


@lru_cache(maxsize=64)
def _png(original: Path, shown: Path, frame: int, small: bool, _changed: int) -> bytes:
    values, inverted = _values(shown, frame)
    if values.ndim == 2:
        reference = values if shown == original else _values(original, frame)[0]
        low, high = np.nanpercentile(reference, (1, 99.5))
        values = stretch(np.nan_to_num(values.astype(np.float32)), float(low), float(high))
        values = 255 - values if inverted else values
    picture = Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if small:
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=1)
    return stream.getvalue()


def _values(path: Path, frame: int) -> tuple[Values, bool]:
    image = StoredImage(path)
    if not 0 <= frame < image.frames:
        raise InstanceNotUnderstood(f"the image has no frame {frame}")
    inverted = str(image.pixels.PhotometricInterpretation) == "MONOCHROME1"
    return displayable(next(image.read([frame])), image.pixels), inverted
