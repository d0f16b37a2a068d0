"""Prove that a rewritten file is its source with the boxes masked and nothing else changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box
from airlock.pixels.decode import StoredImage, as_rewritten
from airlock.pixels.mask import masked

SAME_HEADER = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID")


def check_rewritten(before: Path, after: Path, boxes: dict[int, list[Box]]) -> int:
    """Compare every frame of two files, decoded.

    :param boxes: what was to be masked, by frame number.
    :return: number of frames.
    :raises InstanceNotUnderstood: saying what differs; the message holds no value of the files.
    """
    source, result = StoredImage(before), StoredImage(after)
    if not result.has_pixels:
        raise InstanceNotUnderstood("the rewritten file has no pixels")
    for keyword in SAME_HEADER:
        if source.dataset.get(keyword) != result.dataset.get(keyword):
            raise InstanceNotUnderstood(f"the rewritten file has another {keyword}")
    if result.dataset.get("BurnedInAnnotation") != "NO":
        raise InstanceNotUnderstood("the rewritten file does not say BurnedInAnnotation NO")
    if (source.frames, source.dataset.Rows, source.dataset.Columns) != (
        result.frames,
        result.dataset.Rows,
        result.dataset.Columns,
    ):
        raise InstanceNotUnderstood("the rewritten file has another number or size of frames")
    if outside := [n for n in boxes if n not in range(source.frames)]:
        raise InstanceNotUnderstood(f"{len(outside)} frames with boxes don't exist")
    for stored, new in zip(source.read(), result.read(), strict=True):
        old = as_rewritten(stored, source)
        if old.layout.photometric != new.layout.photometric or old.layout.signed != new.layout.signed:
            raise InstanceNotUnderstood("the rewritten file's pixels mean something else")
        if not np.array_equal(masked(old, source.pixels, boxes.get(old.number, [])), new.pixels):
            raise InstanceNotUnderstood(f"the pixels of frame {old.number} are not as they must be")
    return source.frames
