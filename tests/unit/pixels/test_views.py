from __future__ import annotations

import numpy as np
import pytest

from airlock.pixels.detect import LARGE, patches
from airlock.pixels.views import is_flat, views


def test_blank_and_smooth_frames_have_no_views():
    assert list(views(np.full((64, 64), 1000, np.float32), 16)) == []
    ramp = np.tile(np.linspace(0, 1, 512, dtype=np.float32), (64, 1))
    assert is_flat((ramp * 255).astype(np.uint8))


def test_outliers_hide_text_in_one_view_only():
    """A letter 30 above its ground, under a value of 60000: only the percentile window or a mask shows it."""
    frame = np.random.default_rng(3).normal(500, 4, (128, 128)).astype(np.float32)
    frame[40:80, 60:63] += 60
    frame[0, :3] = 60000
    contrast = [int(view[60, 61, 0]) - int(np.median(view)) for view in views(frame, 16)]
    assert len(contrast) > 1
    assert max(contrast) > 100


def test_same_views_are_given_once():
    frame = np.zeros((64, 64), np.float32)
    frame[::2] = 255
    assert len(list(views(frame, 8))) == 1


def test_dark_colours_are_stretched():
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[20:30, 20:22] = 20
    assert max(int(view.max()) for view in views(frame, 8)) == 255


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (512, 512), (480, 640), (1024, 1280), (2500, 2048), (1, 3000)])
def test_patches_cover_every_pixel_and_place_boxes_back(rows, columns):
    view = np.random.default_rng(1).integers(0, 255, (rows, columns, 3), dtype=np.uint8)
    seen = np.zeros((rows, columns), bool)
    for patch in patches(view):
        height, width = patch.picture.shape[:2]
        x0, y0, x1, y1 = patch.place((0, 0, width, height), columns, rows)
        assert 0 <= x0 < x1 <= columns
        assert 0 <= y0 < y1 <= rows
        if max(rows, columns) <= LARGE or patch.scale == 1.0:
            seen[y0:y1, x0:x1] = True
    assert seen.all()
