from __future__ import annotations

import numpy as np
import pytest

from airlock.findings import Found
from airlock.pixels.grow import continues, grown, joined, with_room

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
        pytest.param((100, 80, 150, 92), (82, 80, 168, 92), id="level"),
        pytest.param((50, 20, 60, 60), (50, 5, 60, 75), id="upright"),
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


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(
    ("box", "goes_on"),
    [
        pytest.param((150, 42, 170, 53), True, id="in the line"),
        pytest.param((100, 55, 120, 66), True, id="in the line below"),
        pytest.param((40, 30, 80, 39), True, id="in the line above, partly"),
        pytest.param((175, 42, 195, 53), False, id="too far along"),
        pytest.param((60, 61, 100, 72), False, id="too far below"),
        pytest.param((150, 48, 170, 59), False, id="neither in the line nor below it"),
        pytest.param((150, 34, 190, 60), False, id="larger letters"),
        pytest.param((60, 54, 80, 58), False, id="smaller letters"),
        pytest.param((127, 42, 280, 53), False, id="an edge"),
        pytest.param((130, 10, 300, 80), False, id="as high as the line is long"),
    ],
)
def test_what_is_in_a_line_or_next_to_it_continues_it(box, goes_on, upright):
    line = 50, 41, 125, 53
    if upright:
        box, line = (box[1], box[0], box[3], box[2]), (line[1], line[0], line[3], line[2])
    assert continues(box, line) == goes_on


def test_a_letter_is_continued_by_nothing():
    assert not continues((64, 41, 74, 53), (50, 41, 60, 53))
