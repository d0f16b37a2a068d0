from __future__ import annotations

import numpy as np
import pytest

from airlock.findings import Found
from airlock.pixels.grow import grown

LINE = (60, 40, 120, 52)


def strokes() -> np.ndarray:
    """A line of letters from column 20 to 240 with gaps between its words."""
    mask = np.zeros((100, 300), bool)
    mask[42:50, 20:240:3] = True
    mask[42:50, 45:55] = mask[42:50, 150:160] = False
    return mask


@pytest.mark.parametrize("upright", [False, True])
def test_a_box_grows_along_its_line_and_not_across(upright):
    mask, box = strokes(), LINE
    if upright:
        mask, box = mask.T, (LINE[1], LINE[0], LINE[3], LINE[2])
    [found] = grown([Found(0, box, "ocr", 90.0)], mask)
    along, across = (found.box[1::2], found.box[::2]) if upright else (found.box[::2], found.box[1::2])
    assert along[0] <= 20
    assert 240 <= along[1] < 287
    assert across == (40, 52)


def test_a_line_without_neighbours_gets_room_for_one_letter_and_others_stay():
    """One letter may be hidden at its end; not beyond the frame."""
    alone, edge = Found(0, (100, 80, 150, 92), "ocr", 90.0), Found(0, (4, 80, 44, 92), "ocr", 90.0)
    tall, short = Found(0, (60, 10, 200, 90), "ocr", 90.0), Found(0, (100, 80, 120, 92), "ocr", 90.0)
    boxes = [found.box for found in grown([alone, edge, tall, short], strokes())]
    assert boxes == [(88, 80, 162, 92), (0, 80, 56, 92), tall.box, short.box]
