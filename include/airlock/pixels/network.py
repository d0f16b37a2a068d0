"""The detection network: from a picture to rectangles of text with a score.

It is PP-OCRv4's (differentiable binarization). Upright rectangles are all that masking needs, so that what the network
says of every pixel becomes boxes by connected components; polygons would only cost time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from airlock.findings import Box
from airlock.pixels.views import Picture

STEP = 32
"""The network takes sides that are multiples of this."""

THRESHOLD = 0.3
"""Probability from which a pixel belongs to the core of a line."""

SCORE, WEAK = 0.4, 0.5
"""Mean probability of its pixels from which a component is a candidate, and below which it is a weak one: small faint
letters, and speckle. What a weak one says decides."""

SHORTEST = 3
"""Pixels of a component's shorter side; smaller ones are noise."""

UNCLIP = 1.6
"""The network is trained to show the core of a line; the line is larger by area / perimeter times this."""


@dataclass(frozen=True)
class Candidate:
    """A rectangle that the network takes for text.

    :param score: 0 to 1.
    :param sides: height and length, in pixels, of what is in it: of a tilted line smaller than those of the box.
    :param angle: of its length to the rows, in degrees, clockwise; -90 to 90.
    :param centre: its column and row; of a line at an edge, where the box is cut, not the centre of the box.
    """

    box: Box
    score: float
    sides: tuple[float, float] = (math.inf, math.inf)
    angle: float = 0.0
    centre: tuple[float, float] = (0.0, 0.0)


class DetectionNetwork:
    """The model, loaded, for one thread.

    :param model: the ONNX file.
    """

    def __init__(self, model: Path) -> None:
        import onnxruntime  # noqa: PLC0415 - heavy; the parent process never needs it

        # Also where the environment variable that says the same was not set in time.
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Every picture has another size: patterns of memory would be kept for each.
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def candidates(self, picture: Picture) -> list[Candidate]:
        """Return what looks like text, in pixels of the picture."""
        rows, columns = picture.shape[:2]
        padded = np.zeros((-(-rows // STEP) * STEP, -(-columns // STEP) * STEP, 3), np.float32)
        padded[:rows, :columns] = picture
        blob = np.ascontiguousarray((padded * np.float32(1 / 127.5) - 1).transpose(2, 0, 1)[None])
        [output] = self._session.run(None, {self._input: blob})
        return _components(output[0, 0, :rows, :columns])


def _components(probability: npt.NDArray[np.float32]) -> list[Candidate]:
    rows, columns = probability.shape
    core = cv2.dilate((probability > THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    number, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    found = []
    for label in range(1, number):
        x, y, width, height = (int(value) for value in stats[label, :4])
        if min(width, height) < SHORTEST:
            continue
        inside = np.s_[y : y + height, x : x + width]
        own = labels[inside] == label
        score = float(probability[inside][own].mean())
        if score < SCORE:
            continue
        grow = int(np.ceil(_growth(width, height)))
        box = max(x - grow, 0), max(y - grow, 0), min(x + width + grow, columns), min(y + height + grow, rows)
        found.append(Candidate(box, score, *_shape(own, x, y)))
    return found


def _growth(width: float, height: float) -> float:
    return UNCLIP * width * height / (2 * (width + height))


def _shape(component: npt.NDArray[np.bool_], x: int, y: int) -> tuple[tuple[float, float], float, tuple[float, float]]:
    """Return height and length of a line whose core is given, at its own angle, that angle, and its centre."""
    outlines, _ = cv2.findContours(component.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = cv2.boxPoints(cv2.minAreaRect(max(outlines, key=len)))
    edges = corners[1] - corners[0], corners[2] - corners[1]
    short, longest = sorted(edges, key=lambda edge: float(np.hypot(*edge)))
    angle = math.degrees(math.atan2(longest[1], longest[0]))
    # Outlines run through the middle of pixels.
    low, long = float(np.hypot(*short)) + 1, float(np.hypot(*longest)) + 1
    grow = 2 * _growth(low, long)
    column, row = (float(middle) + 0.5 for middle in corners.mean(axis=0))
    return (low + grow, long + grow), (angle + 90) % 180 - 90, (x + column, y + row)
