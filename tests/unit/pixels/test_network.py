from __future__ import annotations

import cv2
import numpy as np
import pytest

from airlock.pixels.network import Candidate, _components
from airlock.pixels.tilt import is_tilted, straightened


@pytest.mark.parametrize("degrees", [0, 12, 30, 90])
def test_a_line_has_the_same_sides_at_every_angle(degrees: int):
    corners = cv2.boxPoints(((150.0, 150.0), (160.0, 10.0), degrees))
    probability = np.zeros((300, 300), np.uint8)
    cv2.fillPoly(probability, [np.rint(corners).astype(np.int32)], 1)
    [found] = _components(probability.astype(np.float32))
    low, long = found.sides
    assert low == pytest.approx(30, abs=4)
    assert long == pytest.approx(180, abs=6)
    x0, y0, x1, y1 = found.box
    turned = np.rint(corners)
    assert (turned.min(axis=0) >= (x0, y0)).all()
    assert (turned.max(axis=0) < (x1, y1)).all()
    assert found.angle == pytest.approx(degrees if degrees < 90 else -90, abs=1)
    assert is_tilted(found) == (degrees in (12, 30))
    assert found.centre == pytest.approx((150, 150), abs=2)


@pytest.mark.parametrize("degrees", [-30, 12])
def test_a_tilted_line_is_straightened(degrees: int):
    corners = cv2.boxPoints(((150.0, 150.0), (160.0, 10.0), degrees))
    picture = np.zeros((300, 300, 3), np.uint8)
    cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], (255, 255, 255))
    (x0, y0), (x1, y1) = np.rint(corners).astype(int).min(axis=0), np.rint(corners).astype(int).max(axis=0) + 1
    level = straightened(picture, Candidate((x0, y0, x1, y1), 0.9, (10, 160), degrees, (150, 150)))
    assert level.shape == (10, 160, 3)
    assert (level[1:-1] > 200).mean() > 0.95
