from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.decode import Frame, Layout
from airlock.pixels.mask import MARGIN, black, masked

BOX = (10, 12, 20, 16)


def frame(photometric: str, pixels: np.ndarray, stored: int) -> Frame:
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    layout = Layout(photometric, samples, pixels.dtype.itemsize * 8, stored, pixels.dtype.kind == "i")
    return Frame(0, pixels, layout)


@pytest.mark.parametrize(
    ("photometric", "dtype", "low", "high", "stored", "expected"),
    [
        ("MONOCHROME2", np.uint8, 30, 200, 8, 0),
        ("MONOCHROME1", np.uint8, 30, 200, 8, 255),
        ("MONOCHROME2", np.int16, -1024, 3000, 16, -1024),
        ("MONOCHROME1", np.uint16, 12, 4000, 12, 4000),
        ("MONOCHROME1", np.int16, -50, 900, 12, 900),
    ],
)
def test_black_of_grey_frames(photometric, dtype, low, high, stored, expected):
    pixels = np.full((40, 40), (low + high) // 2, dtype)
    pixels[0, 0], pixels[0, 1] = low, high
    result = masked(frame(photometric, pixels, stored), Dataset(), [BOX])
    assert (result[12 - MARGIN : 16 + MARGIN, 10 - MARGIN : 20 + MARGIN] == expected).all()


@pytest.mark.parametrize(("photometric", "expected"), [("RGB", [0, 0, 0]), ("YBR_FULL", [0, 128, 128])])
def test_black_of_colour_frames(photometric, expected):
    pixels = np.full((40, 40, 3), 77, np.uint8)
    assert masked(frame(photometric, pixels, 8), Dataset(), [BOX])[13, 13].tolist() == expected


@pytest.mark.parametrize(("bits", "darkest"), [(8, 2), (1, 0)])
def test_black_of_a_palette_is_the_darkest_colour_that_a_pixel_can_have(bits, darkest):
    ds = Dataset()
    ds.BitsStored = bits
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", np.array([900, 40000, 3, 65535], "<u2").tobytes())
    assert black(frame("PALETTE COLOR", np.zeros((4, 4), np.uint8), 8), ds).tolist() == [darkest]


def test_only_the_box_and_its_margin_change():
    pixels = np.random.default_rng(0).integers(1, 255, (40, 40), dtype=np.uint8)
    result = masked(frame("MONOCHROME2", pixels, 8), Dataset(), [BOX])
    changed = np.argwhere(result != pixels)
    assert changed.min(axis=0).tolist() == [12 - MARGIN, 10 - MARGIN]
    assert changed.max(axis=0).tolist() == [16 + MARGIN - 1, 20 + MARGIN - 1]


@pytest.mark.parametrize("box", [(0, 0, 41, 10), (5, 5, 5, 10), (-1, 0, 5, 5)])
def test_a_box_that_is_not_in_the_frame_is_refused(box):
    with pytest.raises(InstanceNotUnderstood):
        masked(frame("MONOCHROME2", np.zeros((40, 40), np.uint8), 8), Dataset(), [box])


def test_unknown_photometric_is_refused():
    with pytest.raises(InstanceNotUnderstood):
        masked(frame("CMYK", np.zeros((40, 40, 4), np.uint8), 8), Dataset(), [BOX])
