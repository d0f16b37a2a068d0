"""A picture of a frame before and after masking, side by side.

It shows what was burned in: keep it where the original is kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.colours import displayable
from airlock.pixels.decode import StoredImage
from airlock.pixels.views import stretch

GAP, BAR = 12, 36


def write_preview(before: Path, after: Path, frame: int, target: Path) -> None:
    """Write a PNG with one frame of two files side by side.

    Grey frames are shown with the window of the first, from its 1st to its 99.5th percentile.

    :param frame: number of the frame, from 0.
    :raises InstanceNotUnderstood: when a file has no such frame or it cannot be decoded.
    """
    first, second = (_shown(path, frame) for path in (before, after))
    if first.ndim == 2:
        low, high = np.percentile(first, (1, 99.5))
        inverted = StoredImage(before).dataset.PhotometricInterpretation == "MONOCHROME1"
        first, second = (_window(values, float(low), float(high), inverted) for values in (first, second))
    pictures = [Image.fromarray(values.astype(np.uint8)).convert("RGB") for values in (first, second)]
    width, height = pictures[0].width, pictures[0].height
    sheet = Image.new("RGB", (2 * width + 3 * GAP, height + BAR + GAP), (32, 36, 42))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(18)
    for number, (picture, label) in enumerate(zip(pictures, ("before", "after"), strict=True)):
        left = GAP + number * (width + GAP)
        draw.text((left, 8), label, fill=(235, 235, 235), font=font)
        sheet.paste(picture, (left, BAR))
    sheet.save(target, format="PNG")


def _shown(path: Path, frame: int) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
    image = StoredImage(path)
    if not 0 <= frame < image.frames:
        raise InstanceNotUnderstood(f"the image has no frame {frame}")
    return displayable(next(image.read([frame])), image.pixels)


def _window(
    values: npt.NDArray[np.float32] | npt.NDArray[np.uint8], low: float, high: float, inverted: bool
) -> npt.NDArray[np.uint8]:
    shown = stretch(values.astype(np.float32), low, high)
    return 255 - shown if inverted else shown
