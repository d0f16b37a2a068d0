"""Prove that a rewritten file is its source with the boxes masked and nothing else changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Box, Overlays
from airlock.pixels.colours import as_rewritten
from airlock.pixels.decode import StoredImage
from airlock.pixels.mask import MARGIN, masked
from airlock.pixels.overlays import DATA, embedded, read_planes

SAME_HEADER = ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID")


def check_rewritten(before: Path, after: Path, boxes: dict[int, list[Box]], overlays: Overlays | None = None) -> int:
    """Compare every frame of two files: byte by byte where it was to be kept, decoded elsewhere.

    :param boxes: what was to be masked, by frame number.
    :param overlays: what was to be cleared in overlay planes.
    :return: number of frames.
    :raises InstanceNotUnderstood: saying what differs; the message holds no value of the files.
    """
    source, result = StoredImage(before), StoredImage(after)
    if not result.has_pixels:
        raise InstanceNotUnderstood("the rewritten file has no pixels")
    _check_header(source, result)
    if outside := [n for n in boxes if n not in range(source.frames)]:
        raise InstanceNotUnderstood(f"{len(outside)} frames with boxes don't exist")
    _check_overlays(source, result, overlays or {})
    same_coding = source.syntax == result.syntax and source.syntax.is_encapsulated
    for number in range(source.frames):
        if same_coding and not boxes.get(number) and _same_bytes(source, result, number):
            continue
        _check_frame(source, result, number, boxes.get(number, []))
    return source.frames


def _check_header(source: StoredImage, result: StoredImage) -> None:
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


def _same_bytes(source: StoredImage, result: StoredImage, number: int) -> bool:
    [before], [after] = source.encoded([number]), result.encoded([number])
    return before == after or before + b"\0" == after


def _check_frame(source: StoredImage, result: StoredImage, number: int, boxes: list[Box]) -> None:
    [stored], [new] = source.read([number]), result.read([number])
    old = as_rewritten(stored, source)
    if old.layout.photometric != new.layout.photometric or old.layout.signed != new.layout.signed:
        raise InstanceNotUnderstood("the rewritten file's pixels mean something else")
    if not np.array_equal(masked(old, source.pixels, boxes), new.pixels):
        raise InstanceNotUnderstood(f"the pixels of frame {number} are not as they must be")


def _check_overlays(source: StoredImage, result: StoredImage, overlays: Overlays) -> None:
    if embedded(result.dataset):
        raise InstanceNotUnderstood("the rewritten file still has an overlay in unused bits")
    for name, frames in overlays.items():
        group = int(name, 16)
        if not frames:
            continue
        if (group, DATA) not in source.dataset or (group, DATA) not in result.dataset:
            raise InstanceNotUnderstood("an overlay plane with text is missing")
        expected = read_planes(source.dataset, group)
        for number, boxes in frames.items():
            for x0, y0, x1, y1 in boxes:
                expected[number, max(y0 - MARGIN, 0) : y1 + MARGIN, max(x0 - MARGIN, 0) : x1 + MARGIN] = 0
        if not np.array_equal(expected, read_planes(result.dataset, group)):
            raise InstanceNotUnderstood("an overlay plane is not as it must be")
