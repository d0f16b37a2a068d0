from __future__ import annotations

import cv2
import numpy as np
import pytest

from airlock.pixels.areas import areas
from airlock.pixels.patches import Details, Patch, whole
from airlock.pixels.strokes import strokes_of, text_like, texture
from airlock.pixels.views import _smooth, evened_view, is_flat, planes, range_view
from demo.phantoms import draw_text


def grey(rows: int = 128, columns: int = 128, noise: float = 4) -> np.ndarray:
    return np.random.default_rng(3).normal(500, noise, (rows, columns)).astype(np.float32)


def test_blank_and_smooth_frames_are_flat():
    ramp = np.tile(np.linspace(0, 1000, 512, dtype=np.float32), (64, 1))
    assert is_flat(range_view(planes(np.full((64, 64), 1000, np.float32))))
    assert is_flat((ramp / 4).astype(np.uint8))
    assert list(whole(planes(np.full((64, 64), 1000, np.float32)))) == []


def test_outliers_hide_nothing_from_the_evened_view():
    """A stroke 60 above its ground, under a value of 60000."""
    frame = grey()
    frame[40:80, 60:63] += 60
    frame[0, :3] = 60000
    view = evened_view(planes(frame))
    assert int(view[60, 61, 0]) - int(np.median(view)) > 100


def test_colours_that_are_grey_are_one_plane():
    rgb = np.random.default_rng(1).integers(0, 255, (32, 32, 1), dtype=np.uint8).repeat(3, axis=2)
    assert planes(rgb).shape == (32, 32, 1)
    rgb[0, 0] = (255, 0, 0)
    assert planes(rgb).shape == (32, 32, 3)


@pytest.mark.parametrize("value", [440, 560])
def test_strokes_of_faint_text_are_found_and_noise_is_not(value):
    frame = draw_text(grey(200, 300), ["HANSEN"], (100, 90), 14, value).astype(np.float32)
    found = text_like(strokes_of(planes(frame))).both
    assert found[92:104, 105:150].mean() > 0.5
    assert not found[:60].any()
    [(x0, y0, x1, y1)] = areas(found)
    assert x0 < 100
    assert x1 > 150
    assert y0 < 90
    assert y1 > 104


def test_a_quiet_corner_is_searched_although_the_middle_is_loud():
    frame = grey(400, 400, noise=1)
    frame[100:300, 50:350] += np.random.default_rng(4).normal(0, 200, (200, 300))
    frame = draw_text(frame, ["HANSEN"], (10, 10), 12, 530).astype(np.float32)
    assert text_like(strokes_of(planes(frame))).both[12:22, 12:50].mean() > 0.5


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (512, 512), (480, 640), (1024, 1280), (2500, 2048), (1, 3000)])
@pytest.mark.parametrize("turned", [False, True])
def test_patches_cover_every_area_and_place_boxes_back(rows, columns, turned):
    values = np.random.default_rng(1).integers(0, 255, (rows, columns, 1)).astype(np.float32)
    seen = np.zeros((rows, columns), bool)
    for patch in Details(values).patches(np.ones((rows, columns), bool), turned=turned):
        height, width = patch.picture.shape[:2]
        x0, y0, x1, y1 = patch.place((0, 0, width, height), columns, rows)
        assert 0 <= x0 < x1 <= columns
        assert 0 <= y0 < y1 <= rows
        if patch.scale == 2.0:
            seen[y0:y1, x0:x1] = True
    assert seen.all()


def test_speckle_is_texture_and_a_line_is_not():
    mask = np.zeros((300, 300), bool)
    mask[:200] = True
    mask[270:282, 20:200] = True
    found = texture(mask)
    assert found[:200].all()
    assert not found[270:282].any()


def test_a_turned_patch_places_boxes_where_they_are():
    tile = np.zeros((30, 50, 3), np.uint8)
    tile[5:8, 40:45] = 255
    turned = np.rot90(tile)
    ys, xs = np.nonzero(turned[..., 0])
    box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    assert Patch(turned, 100, 200, 1.0, turned=True).place(box, 1000, 1000) == (140, 205, 145, 208)


@pytest.mark.parametrize("corner", [(0, 0), (200, 150), (251, 183), (100, 183)])
def test_the_network_sees_ground_around_everything_and_whole_steps(corner):
    """At the edge of the frame it is grey; elsewhere what is there."""
    x, y = corner
    values = np.zeros((193, 281, 1), np.float32)
    values[y : y + 10, x : x + 30 : 3] = 200
    dense = np.zeros(values.shape[:2], bool)
    dense[y : y + 10, x : x + 30] = True
    [patch] = Details(values).patches(dense)
    assert [side % 32 for side in patch.picture.shape[:2]] == [0, 0]
    left, top = (x - patch.x) * patch.scale, (y - patch.y) * patch.scale
    assert min(left, top) >= 16
    assert min(patch.picture.shape[1] - left - 60, patch.picture.shape[0] - top - 20) >= 16


def test_the_neighbourhood_is_what_it_would_be_of_every_pixel():
    frame = draw_text(grey(300, 400, noise=20), ["HANSEN"], (100, 90), 14, 700).astype(np.float32)
    exact = cv2.GaussianBlur(frame, (0, 0), 8)
    assert float(np.abs(_smooth(frame, 8.0) - exact).mean()) < 0.001 * float(np.ptp(frame))


@pytest.mark.parametrize("turned", [False, True])
def test_letters_between_the_sizes_are_looked_at_in_vast_frames(turned):
    """Of 60 and of 110 pixels: strokes of neither are searched enlarged, and both vanish in the reduced frame."""
    frame = draw_text(np.full((600, 5000), 20.0), ["OSTERHAUG, Sigurd"], (300, 60), 60, 200)
    frame = draw_text(frame, ["OSTERHAUG, Sigurd"], (3000, 300), 110, 200)
    values = planes(np.ascontiguousarray(frame.T if turned else frame).astype(np.float32))
    rows, columns, _ = values.shape
    seen = np.zeros((rows, columns), bool)
    for patch in Details(values).patches(np.zeros((rows, columns), bool), turned=turned):
        height, width = patch.picture.shape[:2]
        x0, y0, x1, y1 = patch.place((0, 0, width, height), columns, rows)
        seen[y0:y1, x0:x1] = True
    assert seen[values[..., 0] > 100].all()
    nowhere = np.zeros((rows, columns), bool)
    assert list(Details(values).patches(~nowhere, nowhere)) == []
