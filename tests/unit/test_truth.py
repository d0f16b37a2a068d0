"""The truth set of the text detector's measurements, and how findings are compared with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread

from airlock.pixels.judge import Judge
from airlock.pixels.words import known_words
from bench.recall import judged
from bench.truth import PIXELS, draw, plan
from bench.truth_files import write

CLEAR = replace(
    plan(1), ground="blank", shape=(240, 320), size=12, contrast=0.5, opacity=1.0, turn=0, frames=1, marked=0,
    font="pillow", pixels="u8", texts=(("77-1234", True), ("Gain 60", False)),
)  # fmt: skip


def test_the_same_number_gives_the_same_picture():
    one, other = draw(replace(CLEAR, ground="ct")), draw(replace(CLEAR, ground="ct"))
    assert (one.blended(0) == other.blended(0)).all()
    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


def test_lines_are_marked_as_known_that_the_header_knows(tmp_path):
    plans = [plan(number) for number in range(300)]
    wrong = 0
    for given in plans[:25]:
        judge = Judge(known=known_words(dcmread(write(tmp_path, draw(replace(CLEAR, patient=given.patient))))))
        for text, known in given.texts:
            wrong += known and not judge._is_known("".join(c for c in text.upper() if c.isalnum()))
    assert wrong == 0
    texts = [known for given in plans for _, known in given.texts]
    assert 0.6 < np.mean(texts) < 0.9


@pytest.mark.parametrize("pixels", PIXELS)
def test_every_kind_of_pixels_is_written_as_it_says(tmp_path, pixels):
    drawn = draw(replace(CLEAR, pixels=pixels))
    ds = dcmread(write(tmp_path, drawn))
    values = ds.pixel_array.astype(float)
    ink = drawn.lines[0].ink
    assert abs(values[ink].mean() - values[~ink].mean()) > 20
    assert (ds.PhotometricInterpretation == "MONOCHROME1") == pixels.startswith("inverted")


def test_only_the_marked_frame_of_a_cine_has_text():
    drawn = draw(replace(CLEAR, frames=4, marked=2, moving=True, ground="mr"))
    ink = drawn.lines[0].ink
    contrast = [float(drawn.blended(n)[ink].mean() - drawn.grey[n][ink].mean()) for n in range(4)]
    assert [abs(value) > 0.2 for value in contrast] == [False, False, True, False]


def test_findings_are_compared_with_the_truth():
    drawn = draw(CLEAR)
    boxes = [line.box for line in drawn.lines]
    whole = judged(drawn, {0: boxes})
    assert [line.found for line in whole.lines] == [True, True]
    assert (whole.boxes, whole.stray, whole.false_area) == (2, 0, 0)
    x0, y0, x1, y1 = boxes[0]
    assert not judged(drawn, {0: [(x0, y0, (x0 + x1) // 2, y1)]}).lines[0].found
    far = (0, 0, 10, 10) if y0 > 60 else (0, 200, 10, 210)
    stray = judged(drawn, {0: [far]})
    assert not any(line.found for line in stray.lines)
    assert stray.stray == 1
    assert stray.false_area > 0


def test_tilted_and_stacked_lines_are_drawn_as_they_are_named():
    tilted = draw(replace(CLEAR, tilt_degrees=30.0)).lines[0].box
    stacked = draw(replace(CLEAR, direction="down")).lines[0].box
    level = draw(CLEAR).lines[0].box
    assert level[2] - level[0] > 3 * (level[3] - level[1])
    assert (tilted[3] - tilted[1]) > 2 * (level[3] - level[1])
    assert stacked[3] - stacked[1] > 3 * (stacked[2] - stacked[0])
