"""What only a VOI LUT shows: values that hardly differ, which a steep table pulls apart (PS3.3 section C.11.2).

Windows need no look of their own: they are straight, and every pixel is shown against its neighbourhood anyway. So are
most tables nearly; one that is not is looked through besides the values themselves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from airlock.errors import InstanceNotUnderstood
from airlock.pixels.strokes import Planes
from airlock.pixels.views import QUIET

VISIBLE = 0.03
"""Part of the range that a table shows of values that differ by no more than :const:`airlock.pixels.views.QUIET`, less
than is looked for in the values themselves, from which it is looked through."""

MOST = 2
"""Tables that are looked through at the same time; there are no more channels."""


def through_tables(values: Planes, stored: npt.NDArray[np.generic], dataset: Dataset) -> Planes:
    """Return a grey frame, and as further channels what its steep VOI LUTs make of it, all in the same range.

    :param values: `(rows, columns, 1)`.
    :param stored: pixels as they are stored.
    :param dataset: the image pixel module, with all of group 0028.
    :raises InstanceNotUnderstood: when a table cannot be used.
    """
    tables = dataset.get("VOILUTSequence") or ()
    if not tables or stored.ndim != 2 or not np.issubdtype(stored.dtype, np.integer):
        return values
    try:
        shown = apply_modality_lut(stored, dataset)
        # Tables are made for whole numbers; a slope may leave others.
        whole = np.rint(shown).astype(np.int32)
        planes = [np.asarray(apply_voi(whole, dataset, number), np.float32) for number in range(len(tables))]
    except Exception as error:  # noqa: BLE001 - a broken table makes pydicom raise almost anything
        raise InstanceNotUnderstood(f"its VOI LUT cannot be used ({type(error).__name__})") from None
    steep = [plane for plane in planes if _is_steep(whole, plane)][:MOST]
    if not steep:
        return values
    scaled = [_stretched(plane) for plane in (values[..., 0], *steep)]
    return np.dstack([*scaled, *scaled[-1:] * (MOST - len(steep))])


def _is_steep(values: npt.NDArray[np.int32], shown: npt.NDArray[np.float32]) -> bool:
    """Whether a table pulls values of the frame apart that are looked at as one."""
    present, places = np.unique(values, return_index=True)
    mapped = shown.ravel()[places]
    reach = QUIET * float(present[-1] - present[0])
    last = np.searchsorted(present, present + reach, side="right") - 1
    return bool(np.abs(mapped[last] - mapped).max() > VISIBLE * float(np.ptp(mapped)))


def _stretched(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a plane stretched to 0 to 255, in fractions."""
    low, high = float(plane.min()), float(plane.max())
    return np.asarray((plane - low) * np.float32(255 / max(high - low, 1e-6)), np.float32)
