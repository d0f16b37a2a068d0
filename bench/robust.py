"""What a truth set does not hold in numbers: tilted lines, letters below each other, large pictures, colours."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.corpus import Size
from bench.recall import score_sample
from bench.result import Count
from bench.truth import TINTS, Plan, draw, plan

Change = Callable[[Plan], Plan]


def _clear(given: Plan) -> Plan:
    """Level text of a size and a contrast that are found everywhere else, in one frame."""
    choose = random.Random(f"clear {given.number}")
    size, contrast = choose.choice((10, 12, 16, 20)), choose.choice((0.2, 0.5, 1.0))
    return replace(
        given,
        size=size,
        contrast=contrast,
        opacity=1.0,
        turn=0,
        frames=1,
        marked=0,
        shape=(512, 512),
        texts=given.texts[:1],
    )


def _tilted(degrees: int) -> Change:
    return lambda given: replace(_clear(given), tilt_degrees=degrees if given.number % 2 else -degrees)


KINDS: dict[str, Change] = {
    "as a control": _clear,
    **{f"tilted by {degrees} degrees": _tilted(degrees) for degrees in (5, 10, 15, 20, 30, 45)},
    "letters below each other": lambda given: replace(_clear(given), direction="down"),
    "inverted (MONOCHROME1)": lambda given: replace(_clear(given), pixels="inverted"),
    "coloured on grey": lambda given: replace(_clear(given), pixels="rgb", tint=TINTS[1 + given.number % 3]),
    "across tiles, 1500 x 1200": lambda given: replace(_clear(given), shape=(1500, 1200), font="pillow", size=40),
}


def measure(scratch: Path, size: Size) -> Iterator[Count]:
    """Yield the recall of identifiers that are written in one of these ways."""
    for name, change in KINDS.items():
        hits: list[bool] = []
        number = 50_000
        while len(hits) < size.robust:
            number += 1
            drawn = draw(change(plan(number)))
            if drawn.legible and drawn.lines:
                hits += [line.found for line in score_sample(drawn).lines]
        yield Count(f"recall: {name}", f"{100 * sum(hits) / len(hits):.1f} %", f"{sum(hits)} of {len(hits)} lines")
