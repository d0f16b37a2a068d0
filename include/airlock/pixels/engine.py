"""TextEngine: the neural networks that find and read text, behind one small interface.

PP-OCRv4 as the package `rapidocr-onnxruntime` ships it: the models are inside the wheel, nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from airlock.errors import DetectorUnavailable
from airlock.findings import Box
from airlock.pixels.network import Candidate, DetectionNetwork
from airlock.pixels.views import Picture

DETECTION_MODEL = "ch_PP-OCRv4_det_infer.onnx"
RECOGNITION_MODEL = "ch_PP-OCRv4_rec_infer.onnx"
NARROWEST = 64
"""Pixels of the width to which narrower crops are filled up, when they are 48 high."""

READ = 60.0
"""Confidence below which a line is looked at upside down too, and from which it counts as read then."""

LONG, BLOCK = 1.5, 48
"""How many times as long as high a line is at least; and pixels of the shorter side from which a box that is no line is
a block: it holds a few large letters. A block in which nothing is read is not read upside down too: letters on their
head are read as others, hardly ever as nothing."""

PROOF = "PX 4711"
"""What an engine must find and read before it is trusted: a model that loads and sees nothing would let all pass."""

_forkable: list[bool] = []
_REPAIR = "Install the pinned rapidocr-onnxruntime and onnxruntime again (`airlock doctor` shows what is missing)."


@dataclass(frozen=True)
class Reading:
    """What a box seems to say. It is never logged and never stored.

    :param confidence: 0 to 100.
    """

    text: str
    confidence: float


class TextEngine(Protocol):
    """Finds text in a picture, and reads it."""

    def find(self, picture: Picture) -> list[Candidate]:
        """Return what looks like text in a picture."""

    def read(self, picture: Picture, boxes: list[Box]) -> list[Reading]:
        """Read the text in the boxes, one reading each."""


class RapidOcrEngine:
    """PP-OCRv4, one thread.

    :param models: folder of the two model files.
    :raises DetectorUnavailable: when a model or a library is missing or cannot be loaded, or text is not found that is
        there.
    """

    def __init__(self, models: Path | None = None) -> None:
        models = models or _model_folder()
        for name in (DETECTION_MODEL, RECOGNITION_MODEL):
            if not (models / name).is_file():
                raise DetectorUnavailable(f"The text detector's model {name} is missing. {_REPAIR}")
        try:
            import onnxruntime  # noqa: PLC0415 - heavy, and its absence must be reported as ours

            onnxruntime.disable_telemetry_events()
            logging.getLogger("OrtInferSession").setLevel(logging.CRITICAL)
            from rapidocr_onnxruntime.ch_ppocr_rec import TextRecognizer  # noqa: PLC0415 - likewise

            # One thread, as the networks: the processes share the cores already.
            cv2.setNumThreads(1)
            self._detector = DetectionNetwork(models / DETECTION_MODEL)
            self._recognizer = TextRecognizer(_recognition_config(models / RECOGNITION_MODEL))
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no detector
            raise DetectorUnavailable(
                f"The text detector cannot be loaded ({type(error).__name__}). {_REPAIR}"
            ) from None
        self._prove()

    def _prove(self) -> None:
        picture = np.full((64, 256, 3), 30, np.uint8)
        cv2.putText(picture, PROOF, (24, 44), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (220, 220, 220), 2, cv2.LINE_AA)
        said = [reading.text for reading in self.read(picture, [found.box for found in self.find(picture)])]
        if "".join(said).replace(" ", "") != PROOF.replace(" ", ""):
            raise DetectorUnavailable(f"The text detector does not find text that is there. {_REPAIR}")

    def find(self, picture: Picture) -> list[Candidate]:
        """Return what looks like text in a picture: upright rectangles, the second corner outside.

        :raises DetectorUnavailable: when the network fails.
        """
        try:
            return self._detector.candidates(picture)
        except Exception as error:  # noqa: BLE001 - whatever it is, the picture was not examined
            raise DetectorUnavailable(f"The text detector failed ({type(error).__name__}). {_REPAIR}") from None

    def read(self, picture: Picture, boxes: list[Box]) -> list[Reading]:
        """Read the text in the boxes; upright boxes are read from both sides, others upside down if need be.

        :raises DetectorUnavailable: when the network fails.
        """
        readings = [Reading("", 0.0)] * len(boxes)
        tall = [(y1 - y0) >= LONG * (x1 - x0) for x0, y0, x1, y1 in boxes]
        turns = [(number, turn) for number, is_tall in enumerate(tall) for turn in ((1, 3) if is_tall else (0,))]
        for number, reading in self._read_turned(picture, boxes, turns):
            if reading.confidence > readings[number].confidence:
                readings[number] = reading
        unread = [
            (n, 2)
            for n, r in enumerate(readings)
            if not tall[n] and r.confidence < READ and (r.text or not _is_block(boxes[n]))
        ]
        for number, reading in self._read_turned(picture, boxes, unread):
            # Less sure, it is anatomy more often than text on its head.
            if reading.confidence >= READ:
                readings[number] = reading
        return readings

    def _read_turned(
        self, picture: Picture, boxes: list[Box], turns: list[tuple[int, int]]
    ) -> Iterator[tuple[int, Reading]]:
        """Yield the number of each box with what it seems to say after so many quarter turns."""
        crops = []
        for number, turn in turns:
            x0, y0, x1, y1 = boxes[number]
            crops.append(np.ascontiguousarray(np.rot90(picture[y0:y1, x0:x1], turn)))
        try:
            results, _ = self._recognizer(crops) if crops else ([], 0)
        except Exception as error:  # noqa: BLE001 - as above
            raise DetectorUnavailable(f"The text detector failed ({type(error).__name__}). {_REPAIR}") from None
        for (number, _turn), (text, score) in zip(turns, results, strict=True):
            # However sure it is of blanks alone, they say nothing: the line may stand on its head.
            yield number, Reading(text, 100 * float(score)) if text.strip() else Reading("", 0.0)


def _is_block(box: Box) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    return min(width, height) > BLOCK and max(width, height) < LONG * min(width, height)


@lru_cache(maxsize=1)
def load_engine() -> TextEngine:
    """Return this process's engine.

    :raises DetectorUnavailable: when there is none.
    """
    return RapidOcrEngine()


def load_before_forks() -> bool:
    """Load the engine in a process whose forks are to have it; return whether they can.

    A fork has none of the threads of its parent. onnxruntime has one for telemetry, unless it is told not to before it
    is imported; a network of one thread has none of its own.

    :raises DetectorUnavailable: when there is none.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    threads = _threads()
    load_engine()
    _forkable[:] = [_threads() == threads]
    return is_forkable()


def is_forkable() -> bool:
    """Whether forks of this process can use what it has loaded."""
    return "onnxruntime" not in sys.modules or _forkable == [True]


def _threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _model_folder() -> Path:
    spec = importlib.util.find_spec("rapidocr_onnxruntime")
    if spec is None or spec.origin is None:
        raise DetectorUnavailable(f"The text detector is not installed. {_REPAIR}")
    return Path(spec.origin).parent / "models"


def _session_config(model: Path) -> dict[str, Any]:
    return {
        "model_path": str(model),
        "intra_op_num_threads": 1,
        "inter_op_num_threads": 1,
        "use_cuda": False,
        "use_dml": False,
    }


def _recognition_config(model: Path) -> dict[str, Any]:
    # One by one, each as wide as it is: a batch is as wide as its widest line, and saves nothing on one thread.
    return {**_session_config(model), "rec_img_shape": [3, 48, NARROWEST], "rec_batch_num": 1}
