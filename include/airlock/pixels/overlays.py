"""Overlay planes (PS3.3 section C.9.2): bit maps that lie over the picture, and can say a name as the pixels can."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from airlock.errors import InstanceNotUnderstood
from airlock.findings import Overlays
from airlock.pixels.decode import Frame, Layout, StoredImage
from airlock.pixels.detect import Examiner
from airlock.pixels.engine import TextEngine
from airlock.pixels.judge import Judge
from airlock.pixels.mask import MARGIN

GROUPS = range(0x6000, 0x6020, 2)
DATA, ROWS, COLUMNS, FRAMES, ALLOCATED, POSITION = 0x3000, 0x0010, 0x0011, 0x0015, 0x0100, 0x0102

LARGEST = 1 << 26
"""Pixels of a plane that is examined; larger ones are held."""

SHOWN = Layout("MONOCHROME2", 1, 8, 8, False)
"""A plane as a picture: white on black."""

Bits = npt.NDArray[np.uint8]


def embedded(dataset: Dataset) -> list[int]:
    """Return the groups of the overlays that lie in unused bits of the pixels (retired)."""
    return [
        g
        for g in GROUPS
        if (g, DATA) not in dataset and (_number(dataset, g, POSITION, 0) or _number(dataset, g, ALLOCATED, 1) > 1)
    ]


def overlay_text(image: StoredImage, engine: TextEngine, confidence: float, known: frozenset[str]) -> Overlays:
    """Return the boxes with text in every overlay plane; overlays in unused bits of the pixels are to be removed.

    :raises InstanceNotUnderstood: when a plane has not the size that it says.
    """
    examiner = Examiner(Dataset(), engine, Judge(confidence, known))
    result: Overlays = {f"{group:04x}": {} for group in embedded(image.dataset)}
    for group in GROUPS:
        if (group, DATA) not in image.dataset:
            continue
        planes = read_planes(image.dataset, group)
        shown = (Frame(number, plane * np.uint8(255), SHOWN) for number, plane in enumerate(planes))
        found = {frame.number: [f.box for f in examiner.examine(frame)] for frame in shown}
        if any(found.values()):
            result[f"{group:04x}"] = {number: boxes for number, boxes in found.items() if boxes}
    return result


def read_planes(dataset: Dataset, group: int) -> Bits:
    """Return an overlay as `(frames, rows, columns)` of 0 and 1.

    :raises InstanceNotUnderstood: when its data are shorter than its header says.
    """
    shape = _number(dataset, group, FRAMES, 1), _number(dataset, group, ROWS, 0), _number(dataset, group, COLUMNS, 0)
    size = shape[0] * shape[1] * shape[2]
    content = dataset[group, DATA].value
    if min(shape) < 1 or shape[1] * shape[2] > LARGEST or not isinstance(content, bytes) or 8 * len(content) < size:
        raise InstanceNotUnderstood("an overlay plane has not the size that its header says")
    return np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")[:size].reshape(shape)


def clean_planes(dataset: Dataset, overlays: Overlays) -> None:
    """Clear the boxes in the overlay planes of a data set, and remove overlays that lay in unused bits of the pixels.

    :raises InstanceNotUnderstood: when there is no such plane.
    """
    for name, frames in overlays.items():
        group = int(name, 16)
        if not frames:
            continue
        if group not in GROUPS or (group, DATA) not in dataset:
            raise InstanceNotUnderstood("the findings name an overlay that it does not have")
        planes = read_planes(dataset, group)
        for number, boxes in frames.items():
            for x0, y0, x1, y1 in boxes:
                planes[number, max(y0 - MARGIN, 0) : y1 + MARGIN, max(x0 - MARGIN, 0) : x1 + MARGIN] = 0
        packed = np.packbits(planes, axis=None, bitorder="little").tobytes()
        dataset[group, DATA].value = packed + b"\0" * (len(packed) % 2)
    for group in embedded(dataset):
        for tag in [t for t in dataset.keys() if t.group == group]:  # noqa: SIM118 - iterating a Dataset parses values
            del dataset[tag]


def _number(dataset: Dataset, group: int, element: int, default: int) -> int:
    value = dataset[group, element].value if (group, element) in dataset else None
    return int(value) if value is not None and value != "" else default
