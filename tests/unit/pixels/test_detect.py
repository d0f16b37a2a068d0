from __future__ import annotations

import cv2
import numpy as np
import pytest
from pydicom import Dataset

from airlock.pixels.decode import Frame, Layout
from airlock.pixels.detect import Examiner
from airlock.pixels.engine import Reading, TextEngine, load_engine
from airlock.pixels.judge import Judge
from airlock.pixels.network import Candidate
from airlock.pixels.patches import FEW, FINE, Details
from demo.phantoms import draw_text

ROWS, COLUMNS = 128, 256


class Shortsighted:
    """The real engine, to which everything is a third as large."""

    def find(self, picture):
        small = cv2.resize(picture, None, fx=1 / 3, fy=1 / 3, interpolation=cv2.INTER_AREA)
        return [Candidate(tuple(3 * side for side in c.box), c.score) for c in load_engine().find(small)]

    def read(self, picture, boxes):
        return load_engine().read(picture, boxes)


class Illiterate:
    """The real engine, to which every script is foreign."""

    def find(self, picture):
        return load_engine().find(picture)

    def read(self, picture, boxes):
        return [Reading("", 0.0)] * len(boxes)


def masked_by(engine: TextEngine, values: np.ndarray) -> np.ndarray:
    frame = Frame(0, np.ascontiguousarray(values).astype(np.uint16), Layout("MONOCHROME2", 1, 16, 12, False))
    masked = np.zeros(values.shape, bool)
    for found in Examiner(Dataset(), engine, Judge()).examine(frame):
        x0, y0, x1, y1 = found.box
        masked[y0:y1, x0:x1] = True
    return masked


@pytest.mark.parametrize("upright", [False, True])
def test_a_line_that_nobody_can_read_is_masked_where_the_network_is_certain(upright):
    ink = draw_text(np.zeros((ROWS, COLUMNS)), ["NOWAK, Per 43024837"], (60, 40), 14, 1.0)
    values = np.random.default_rng(1).normal(2000, 20, ink.shape) + 1500 * ink
    if upright:
        ink, values = np.rot90(ink), np.rot90(values)
    masked = masked_by(Illiterate(), values)
    assert masked[ink > 0.4].mean() > 0.95
    assert masked.mean() < 0.3


@pytest.mark.parametrize("degrees", [-30, -12, 8, 18])
def test_a_tilted_line_is_read(degrees):
    ink = draw_text(np.zeros((256, 384)), ["NOWAK, Per 43024837"], (60, 120), 14, 1.0)
    turn = cv2.getRotationMatrix2D((192, 128), degrees, 1)
    ink = cv2.warpAffine(ink.astype(np.float32), turn, (384, 256))
    masked = masked_by(load_engine(), np.random.default_rng(1).normal(2000, 20, ink.shape) + 1500 * ink)
    assert masked[ink > 0.4].mean() > 0.95
    assert masked.mean() < 0.6


def test_a_tilted_line_in_a_corner_is_read():
    ink = draw_text(np.zeros((256, 384)), ["NOWAK, Per 43024837"], (60, 120), 14, 1.0)
    turn = cv2.getRotationMatrix2D((192, 128), 25, 1)
    ink = cv2.warpAffine(ink.astype(np.float32), turn, (384, 256))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = np.roll(ink, (1 - rows[0], 1 - columns[0]), (0, 1))
    masked = masked_by(load_engine(), np.random.default_rng(1).normal(2000, 20, ink.shape) + 1500 * ink)
    assert masked[ink > 0.4].mean() > 0.95


def test_ticks_and_rings_are_left():
    values = np.random.default_rng(1).normal(2000, 20, (512, 512)).astype(np.float32)
    for tick in range(40):
        length = 18 if tick % 10 == 0 else 11 if tick % 5 == 0 else 6
        values[40 + 10 * tick : 42 + 10 * tick, 480 - length : 480] = 3000
    for ring in range(5):
        cv2.ellipse(values, (200, 150 + 50 * ring), (9, 12), 20, 0, 360, 1000, 2)
    assert not masked_by(load_engine(), values).any()


@pytest.mark.parametrize("upright", [False, True])
def test_a_line_that_the_network_does_not_see_is_enlarged_more(upright):
    ink = draw_text(np.zeros((ROWS, COLUMNS)), ["NOWAK, Per 43024837"], (60, 40), 9, 1.0)
    values = np.random.default_rng(1).normal(2000, 20, ink.shape) + 400 * ink
    if upright:
        ink, values = np.rot90(ink), np.rot90(values)
    masked = masked_by(Shortsighted(), values)
    assert masked[ink > 0.4].mean() > 0.9
    assert masked.mean() < 0.2


def test_only_small_long_parts_are_looked_at_once_more():
    rows = columns = 512
    values = np.random.default_rng(1).normal(2000, 400, (rows, columns, 1)).astype(np.float32)
    line, blob, texture = (np.zeros((rows, columns), bool) for _ in range(3))
    line[200:208, 100:200] = blob[200:230, 100:130] = texture[40 : 40 + 2 * FEW, 20:500] = True
    [patch] = Details(values).fine(line)
    assert (patch.scale, patch.turned) == (FINE, False)
    assert patch.y <= 200
    assert patch.y + patch.picture.shape[0] / FINE >= 208
    assert patch.x <= 100
    assert patch.x + patch.picture.shape[1] / FINE >= 200
    assert not list(Details(values).fine(line, turned=True))
    [patch] = Details(values).fine(line.T, turned=True)
    assert patch.turned
    for mask in (blob, texture):
        assert not list(Details(values).fine(mask))
        assert not list(Details(values).fine(mask.T, turned=True))
