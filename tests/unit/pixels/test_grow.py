from __future__ import annotations

import numpy as np
import pytest

from airlock.findings import Found
from airlock.pixels.grow import grown, joined, with_room

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
    assert 240 <= along[1] < 275
    assert across == (40, 52)


def test_a_box_without_neighbours_and_a_tall_one_stay():
    alone, tall = Found(0, (100, 80, 150, 92), "ocr", 90.0), Found(0, (60, 10, 200, 90), "ocr", 90.0)
    assert grown([alone, tall], strokes()) == [alone, tall]


@pytest.mark.parametrize(
    ("box", "roomy"),
    [
        pytest.param((100, 80, 150, 92), (88, 80, 162, 92), id="level"),
        pytest.param((50, 20, 60, 60), (50, 10, 60, 70), id="upright"),
        pytest.param((4, 80, 296, 92), (0, 80, 300, 92), id="not beyond the frame"),
        pytest.param((60, 10, 200, 70), (60, 10, 200, 70), id="too large to be growing"),
        pytest.param((100, 80, 120, 92), (100, 80, 120, 92), id="no line"),
    ],
)
def test_a_line_gets_room_for_a_hidden_letter(box, roomy):
    assert with_room(Found(0, box, "ocr", 90.0), 100, 300).box == roomy


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(
    ("other", "gap"),
    [
        pytest.param((140, 41, 200, 53), (120, 40, 140, 53), id="the rest of the line"),
        pytest.param((140, 42, 150, 52), (120, 40, 140, 52), id="its last letter"),
        pytest.param((170, 40, 230, 52), None, id="another column"),
        pytest.param((140, 54, 200, 66), None, id="another line"),
        pytest.param((140, 20, 200, 72), None, id="larger letters"),
    ],
)
def test_what_stands_between_two_parts_of_a_line_belongs_to_it(other, gap, upright):
    def turned(box):
        return (box[1], box[0], box[3], box[2]) if upright else box

    found = [Found(0, turned(LINE), "ocr", 90.0, matches_identifier=True), Found(0, turned(other), "ocr", 40.0)]
    wanted = [Found(0, turned(gap), "ocr", 40.0)] if gap else []
    assert joined(found) == found + wanted
    assert joined(found[::-1]) == found[::-1] + wanted
