from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.decode import Frame, Layout
from airlock.pixels.detect import Examiner
from airlock.pixels.engine import load_engine
from airlock.pixels.judge import Judge
from airlock.pixels.views import planes
from airlock.pixels.voi import through_tables
from demo.phantoms import draw_text

GROUND, INK = 2000, 2001


def module(*tables: np.ndarray, first: int = 0, slope: float = 1) -> Dataset:
    """An image pixel module of 12 bits with VOI LUTs."""
    ds = Dataset()
    ds.file_meta = Dataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.RescaleSlope, ds.RescaleIntercept = slope, 0
    ds.VOILUTSequence = []
    for table in tables:
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [len(table), first, 12])
        item.add_new("LUTData", "US", table.tolist())
        ds.VOILUTSequence.append(item)
    return ds


def straight() -> np.ndarray:
    return np.arange(4096)


def step() -> np.ndarray:
    """All that is above the ground is white, all else black."""
    return np.where(np.arange(4096) > GROUND, 4095, 0)


def hidden() -> np.ndarray:
    """A name in values of one more than their ground; the frame has all values from 0 to 4000."""
    frame = draw_text(np.full((120, 300), GROUND), ["OSTERHAUG, Sigurd"], (20, 30), 14, INK)
    frame[100:, :] = np.linspace(0, 4000, 300).astype(int)
    return frame.astype(np.uint16)


def test_only_steep_tables_are_looked_through():
    frame = hidden()
    values = planes(frame.astype(np.float32))
    assert through_tables(values, frame, Dataset()) is values
    assert through_tables(values, frame, module(straight())) is values
    shown = through_tables(values, frame, module(straight(), step()))
    assert shown.shape == (120, 300, 3)
    assert set(np.unique(shown[..., 1])) == {0.0, 255.0}
    assert (shown[frame == INK, 1] == 255).all()
    assert shown[..., 0].max() == 255


def test_tables_apply_to_values_with_their_slope():
    frame = hidden()
    table = np.where(np.arange(4096) > GROUND * 0.5, 4095, 0)
    shown = through_tables(planes(frame.astype(np.float32)), frame, module(table, slope=0.5))
    assert shown.shape == (120, 300, 3)


def test_a_table_that_cannot_be_used_holds():
    frame = hidden()
    ds = module(step())
    del ds.VOILUTSequence[0].LUTData
    with pytest.raises(InstanceNotUnderstood, match="VOI LUT"):
        through_tables(planes(frame.astype(np.float32)), frame, ds)


@pytest.mark.parametrize(("tables", "masked"), [((step(),), True), ((straight(),), False)])
def test_a_name_that_only_a_table_shows_is_found(tables, masked):
    frame = Frame(0, hidden(), Layout("MONOCHROME2", 1, 16, 12, False))
    found = Examiner(module(*tables), load_engine(), Judge()).examine(frame)
    covered = np.zeros(frame.pixels.shape, bool)
    for x0, y0, x1, y1 in (f.box for f in found):
        covered[y0:y1, x0:x1] = True
    ink = draw_text(np.zeros((120, 300)), ["OSTERHAUG, Sigurd"], (20, 30), 14, 1) > 0
    assert covered[ink].all() if masked else not covered[ink].any()
