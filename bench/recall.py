"""Recall of the text detector on the generated truth set, and where it fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from airlock.pixels.decode import StoredImage
from airlock.pixels.detect import examine
from airlock.pixels.engine import load_engine
from airlock.pixels.mask import MARGIN
from airlock.pixels.strokes import stroke_mask, text_like
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


@dataclass
class Score:
    """What was found in one picture.

    :param lines: by stratum, lines of text that can be read; `found` those that are masked.
    :param gate: lines that can be read and that the test for strokes let pass to the network.
    :param false_area: part of the picture that is masked far from text.
    """

    lines: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    gate: int = 0
    false_area: float = 0.0
    faint: tuple[int, int] = (0, 0)


def measure(scratch: Path, size: Size) -> Iterator[Count]:
    """Yield recall by stratum, the false area, and the misses of the test that comes before the network."""
    with get_context("spawn").Pool(size.workers) as pool:
        scores = pool.map(score, range(size.first_truth, size.first_truth + size.truth), chunksize=8)
    lines, found = sum((s.lines for s in scores), Counter()), sum((s.found for s in scores), Counter())
    for name in sorted(lines):
        yield Count(
            f"recall: {name}", f"{100 * found[name] / lines[name]:.1f} %", f"{found[name]} of {lines[name]} lines"
        )
    passed = sum(s.gate for s in scores)
    yield Count("passed by the test for strokes", f"{100 * passed / lines['all']:.1f} %", f"{passed} of {lines['all']}")
    seen, total = (sum(values) for values in zip(*(s.faint for s in scores), strict=True))
    yield Count("recall: too faint to count", f"{100 * seen / max(total, 1):.1f} %", f"{seen} of {total} lines")
    areas = [s.false_area for s in scores]
    yield Count("masked without text", f"{100 * mean(areas):.2f} %", f"at most {100 * max(areas):.1f} % of a picture")
    if found["all"] < LOWEST_RECALL * lines["all"]:
        raise BenchError(f"only {found['all']} of {lines['all']} lines were found")


def score(number: int) -> Score:
    """Examine one picture of the truth set as the product does, from its file."""
    drawn = sample(number)
    with TemporaryDirectory(prefix="airlock-truth-") as folder:
        image = StoredImage(write(Path(folder), drawn))
        [(_, boxes)] = examine(image, load_engine(), CONFIDENCE)
    masked = np.zeros(drawn.grey.shape, bool)
    for x0, y0, x1, y1 in (found.box for found in boxes):
        masked[max(y0 - MARGIN, 0) : y1 + MARGIN, max(x0 - MARGIN, 0) : x1 + MARGIN] = True
    hits = [bool(masked[ink].mean() >= COVERED) for ink in drawn.ink]
    result = Score(false_area=float((masked & ~_near(drawn)).mean()))
    if not drawn.legible:
        result.faint = sum(hits), len(hits)
        return result
    dense = text_like(
        stroke_mask(planes((drawn.grey * (1 - drawn.alpha) + drawn.value * drawn.alpha).astype(np.float32)))
    )
    result.gate = sum(bool(dense[ink].any()) for ink in drawn.ink)
    for stratum in _strata(drawn):
        result.lines[stratum] = len(hits)
        result.found[stratum] = sum(hits)
    return result


def _strata(drawn: Sample) -> list[str]:
    contrast = "below 10 %" if drawn.contrast < 0.095 else "10 to 30 %" if drawn.contrast < 0.3 else "30 % and more"
    return [
        "all",
        f"letters of {drawn.size} px",
        f"contrast {contrast}",
        f"turned by {90 * drawn.turn} degrees",
        f"on {drawn.ground}",
        f"stored as {drawn.pixels}",
    ]


def _near(drawn: Sample) -> npt.NDArray[np.bool_]:
    """Return what is nearer to text than the height of a letter."""
    near = np.zeros(drawn.grey.shape, bool)
    reach = max(6, drawn.size)
    ys, xs = np.nonzero(drawn.alpha > 0)
    if ys.size:
        near[max(ys.min() - reach, 0) : ys.max() + reach, max(xs.min() - reach, 0) : xs.max() + reach] = True
    return near
