"""Recall of the text detector on the generated truth set, and where it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from airlock.findings import Box
from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import load_engine
from airlock.pixels.mask import MARGIN
from airlock.pixels.strokes import strokes_of, text_like
from airlock.pixels.views import planes
from bench.corpus import Size
from bench.measure import BenchError
from bench.result import Count
from bench.truth import Sample, sample
from bench.truth_files import write

CONFIDENCE = 20
COVERED = 0.9
"""Part of a line's ink that must be masked for the line to count as found."""

LOWEST_RECALL = 0.9
"""Below it something is broken, and the bench fails."""


@dataclass(frozen=True)
class LineScore:
    """What became of one line.

    :param found: whether it is masked.
    :param passed: whether the test for strokes lets it pass to the network.
    """

    strata: tuple[str, ...]
    legible: bool
    known: bool
    found: bool
    passed: bool


@dataclass(frozen=True)
class Score:
    """What was found in one picture.

    :param boxes: number of boxes, of which `stray` lie far from text.
    :param false_area: part of the pixels that is masked far from text.
    """

    number: int
    lines: tuple[LineScore, ...]
    boxes: int
    stray: int
    false_area: float


def measure(scratch: Path, size: Size) -> Iterator[Count]:
    """Yield recall by stratum, the false area, and the misses of the test that comes before the network."""
    with get_context("spawn").Pool(size.workers) as pool:
        scores = pool.map(score, range(size.first_truth, size.first_truth + size.truth), chunksize=8)
    yield from summary(scores)
    lines = [line for s in scores for line in s.lines if line.legible]
    found = sum(line.found for line in lines)
    if found < LOWEST_RECALL * len(lines):
        raise BenchError(f"only {found} of {len(lines)} lines were found")


def summary(scores: Iterable[Score]) -> Iterator[Count]:
    """Yield the counts of all strata, and what was masked besides text."""
    scores = list(scores)
    lines = [line for s in scores for line in s.lines]
    legible = [line for line in lines if line.legible]
    yield _count("recall: identifiers", [line.found for line in legible if line.known])
    yield _count("recall: identifiers, also those too faint to count", [line.found for line in lines if line.known])
    yield _count("recall: other text", [line.found for line in legible if not line.known])
    yield _count("recall: too faint to count", [line.found for line in lines if not line.legible])
    total: Counter[str] = Counter(name for line in legible for name in line.strata)
    found: Counter[str] = Counter(name for line in legible if line.found for name in line.strata)
    for name in sorted(total):
        yield Count(
            f"recall: {name}", f"{100 * found[name] / total[name]:.1f} %", f"{found[name]} of {total[name]} lines"
        )
    yield _count("passed by the test for strokes", [line.passed for line in legible])
    areas, boxes = [s.false_area for s in scores], sum(s.boxes for s in scores)
    yield Count("masked without text", f"{100 * mean(areas):.2f} %", f"at most {100 * max(areas):.1f} % of a picture")
    right = boxes - sum(s.stray for s in scores)
    yield Count("precision", f"{100 * right / max(boxes, 1):.1f} %", f"{right} of {boxes} boxes at text")


def _count(work: str, hits: list[bool]) -> Count:
    return Count(work, f"{100 * sum(hits) / max(len(hits), 1):.1f} %", f"{sum(hits)} of {len(hits)} lines")


def score(number: int) -> Score:
    """Examine one picture of the truth set."""
    return score_sample(sample(number))


def score_sample(drawn: Sample) -> Score:
    """Examine a picture as the product does, from its file."""
    with TemporaryDirectory(prefix="airlock-truth-") as folder:
        image = StoredImage(write(Path(folder), drawn))
        boxes = {number: [f.box for f in found] for number, found in examine(image, load_engine(), CONFIDENCE)}
    return judged(drawn, boxes)


def judged(drawn: Sample, boxes: dict[int, list[Box]]) -> Score:
    """Compare what a detector found with the truth.

    :param boxes: by frame.
    """
    near, marked = _near(drawn), drawn.plan.marked
    masks = {number: mask_of(found, near.shape) for number, found in boxes.items()}
    strays = {n: [b for b in found if n != marked or not near[_part(b)].any()] for n, found in boxes.items()}
    false = [float((mask & ~near).mean() if number == marked else mask.mean()) for number, mask in masks.items()]
    dense = text_like(strokes_of(planes(drawn.blended(marked).astype(np.float32)))).both
    lines = tuple(
        LineScore(
            _strata(drawn),
            drawn.legible,
            line.known,
            bool(masks[marked][line.ink].mean() >= COVERED),
            bool(dense[line.ink].any()),
        )
        for line in drawn.lines
    )
    return Score(
        drawn.plan.number, lines, sum(map(len, boxes.values())), sum(map(len, strays.values())), float(mean(false))
    )


def mask_of(boxes: Iterable[Box], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return what is masked."""
    masked = np.zeros(shape, bool)
    for x0, y0, x1, y1 in boxes:
        masked[max(y0 - MARGIN, 0) : y1 + MARGIN, max(x0 - MARGIN, 0) : x1 + MARGIN] = True
    return masked


def _part(box: Box) -> tuple[slice, slice]:
    x0, y0, x1, y1 = box
    return slice(y0, y1), slice(x0, x1)


def _strata(drawn: Sample) -> tuple[str, ...]:
    plan = drawn.plan
    contrast = "below 10 %" if drawn.contrast < 0.095 else "10 to 30 %" if drawn.contrast < 0.3 else "30 % and more"
    frames = "one frame" if plan.frames == 1 else "one frame of a moving cine" if plan.moving else "one of still frames"
    return (
        "all",
        f"letters of {plan.size} px",
        f"contrast {contrast}",
        f"turned by {90 * plan.turn} degrees",
        f"on {plan.ground}",
        f"stored as {plan.pixels}",
        f"on {frames}",
    )


def _near(drawn: Sample) -> npt.NDArray[np.bool_]:
    """Return what is nearer to text than the height of a letter."""
    near = np.zeros(drawn.alpha.shape, bool)
    reach = max(6, drawn.plan.size)
    ys, xs = np.nonzero(drawn.alpha > 0)
    if ys.size:
        near[max(ys.min() - reach, 0) : ys.max() + reach, max(xs.min() - reach, 0) : xs.max() + reach] = True
    return near
