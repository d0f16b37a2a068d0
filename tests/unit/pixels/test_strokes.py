from __future__ import annotations

import cv2
import numpy as np
import pytest

from airlock.pixels.strokes import strokes_of, text_like
from bench.grounds import ct_slice
from demo.phantoms import draw_text
from demo.phantoms.drawing import fan


def dense(picture: np.ndarray) -> np.ndarray:
    return text_like(strokes_of(picture.astype(np.float32)[..., None])).both


def test_vessels_and_noise_are_not_letters_and_a_line_among_them_is():
    """Over a slice with vessels, ribs and noise, little is looked at; text over the lungs is."""
    plain = ct_slice(512, 512, 7, 20.0)
    assert dense(plain).mean() < 0.03
    assert dense(draw_text(plain, ["FJELDSTAD, Ingrid"], (110, 200), 12, 400))[202:212, 114:200].mean() > 0.8


def test_a_page_full_of_small_letters_is_not_taken_for_noise():
    lines = ["Hansen, Per 12.03.1961 Olsen ID 123456 Kowalczyk Tomasz 77-1234 Fjeldstad Ingrid"] * 40
    page = draw_text(np.full((512, 512), 20.0), lines, (4, 4), 10, 230)
    found = dense(page)
    assert found[20:400, 20:380].mean() > 0.95


def test_noise_that_fills_the_range_is_looked_at():
    """Nothing could stand out of it, so that the test has nothing to say."""
    noise = np.random.default_rng(1).normal(500, 30, (128, 128))
    assert dense(noise).all()
    assert not dense(np.full((128, 128), 7.0)).any()


def test_speckle_is_passed_over_where_bright_text_stands_out_of_it():
    picture = draw_text(fan(480, 640, 1), ["HANSEN"] * 4, (10, 8), 18, 255)
    found = dense(picture)
    assert found[12:60, 14:70].mean() > 0.9
    assert found[150:250, 250:390].mean() < 0.8


@pytest.mark.parametrize("turned", [False, True])
def test_the_direction_of_a_line_is_told(turned):
    picture = draw_text(np.full((200, 300), 20.0), ["IIIIIIIIIIIIIIII"], (100, 90), 14, 200)
    found = text_like(strokes_of((picture.T if turned else picture).astype(np.float32)[..., None]))
    assert found.upright.sum() > 5 * found.level.sum() if turned else found.level.sum() > 5 * found.upright.sum()


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (20, 20), (33, 65)])
def test_any_size_is_examined(shape):
    assert dense(np.random.default_rng(2).normal(0, 1, shape)).shape == shape


def test_two_small_letters_alone_are_pieces_only():
    """Alone they are as good as a fork of vessels; beside a line that was found they are its end."""
    found = text_like(strokes_of(draw_text(np.full((200, 300, 1), 100.0, np.float32), ["Ac"], (100, 100), 9, 180)))
    assert not found.both.any()
    assert found.pieces[98:112, 98:115].any()


@pytest.mark.parametrize("word", ["Eva", "Kim", "1234"])
@pytest.mark.parametrize("value", [130, 180])
def test_a_short_word_alone_is_looked_at(word, value):
    assert dense(draw_text(np.full((200, 300), 100.0), [word], (100, 100), 9, value))[100:110, 98:118].any()


def test_forks_of_vessels_are_passed_over(monkeypatch):
    """Short branches as thick as letters: filled, where letters have ground between their strokes."""
    lung = np.random.default_rng(5).normal(100, 2, (128, 128))
    branches = [((70, 65), (70, 56), 2), ((50, 51), (32, 39), 4), ((65, 71), (65, 75), 4)]
    for begin, end, width in [*branches, ((67, 65), (69, 67), 4), ((56, 69), (62, 51), 3)]:
        cv2.line(lung, begin, end, 180, width)
    assert not dense(lung).any()
    monkeypatch.setattr("airlock.pixels.strokes.CLEARLY", 0.0)
    assert dense(lung).any()
