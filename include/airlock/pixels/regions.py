"""The parts of an ultrasound picture that are image (PS3.3 section C.8.5.5, SequenceOfUltrasoundRegions).

What lies outside is written by the device: that is where names are. A region never vouches for what lies inside it.
"""

from __future__ import annotations

import itertools

from pydicom import Dataset

from airlock.findings import Box

OUTSIDE = "OutsideUltrasoundRegions"
"""Reason of an instance with text outside its regions."""


def ultrasound_regions(header: Dataset, shape: tuple[int, int]) -> list[Box]:
    """Return the regions that lie in the frame; none when a region has no usable corners.

    :param shape: rows and columns.
    """
    rows, columns = shape
    boxes: list[Box] = []
    for item in header.get("SequenceOfUltrasoundRegions") or ():
        try:
            x0, y0 = int(item.RegionLocationMinX0), int(item.RegionLocationMinY0)
            x1, y1 = int(item.RegionLocationMaxX1) + 1, int(item.RegionLocationMaxY1) + 1
        except (AttributeError, TypeError, ValueError):
            return []
        box = max(x0, 0), max(y0, 0), min(x1, columns), min(y1, rows)
        if box[0] < box[2] and box[1] < box[3]:
            boxes.append(box)
    return boxes


def outside(regions: list[Box], shape: tuple[int, int]) -> list[Box]:
    """Return rectangles that cover all of the frame but the regions.

    :param shape: rows and columns.
    """
    rows, columns = shape
    xs = sorted({0, columns, *(x for r in regions for x in (r[0], r[2]))})
    result: list[Box] = []
    for x0, x1 in itertools.pairwise(xs):
        covered = sorted((r[1], r[3]) for r in regions if r[0] <= x0 and x1 <= r[2])
        y = 0
        for top, bottom in [*covered, (rows, rows)]:
            if top > y:
                result.append((x0, y, x1, top))
            y = max(y, bottom)
    return result


def lies_outside(box: Box, regions: list[Box]) -> bool:
    """Whether a box's centre is in none of the regions."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return not any(r[0] <= x < r[2] and r[1] <= y < r[3] for r in regions)
