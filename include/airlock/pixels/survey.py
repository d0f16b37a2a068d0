"""Examine many files with several processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airlock.findings import Box, Found, Overlays, found_from_json, overlays_from_json
from airlock.pixels.judge import SAFE_WORDS
from airlock.pixels.locations import load_library
from airlock.pixels.pool import Answer, Task, WorkerPool

FEWEST, MOST = 16, 64
"""Frames of one task after the first, which examines one frame and tells how many there are: a cine is shared between
the processes, and the first frame of each task costs as much as three others."""


@dataclass
class Examined:
    """What became of one file.

    :param total: number of frames; 0 when there are no pixels.
    :param found: what to mask, with its source.
    :param overlays: boxes in overlay planes.
    :param reasons: header rules that made it suspicious.
    :param problem: why it could not be examined, free of patient data.
    """

    total: int = 0
    found: list[Found] = field(default_factory=list)
    overlays: Overlays = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    problem: str | None = None

    @property
    def frames(self) -> dict[int, list[Box]]:
        """Boxes by frame number, only frames that have any."""
        result: dict[int, list[Box]] = {}
        for found in self.found:
            result.setdefault(found.frame, []).append(found.box)
        return result

    @property
    def flagged(self) -> bool:
        """Whether the file must be rewritten."""
        return bool(self.found or self.overlays)


@dataclass(frozen=True)
class Search:
    """How files are examined.

    :param confidence: percent; see :class:`airlock.pixels.judge.Judge`.
    :param known: plain words that are masked at any confidence, besides those of each file's own header.
    :param locations: folder of the location library.
    :param safe_words: in capitals; left when they stand alone and were read without doubt.
    """

    confidence: float = 20.0
    known: frozenset[str] = field(default=frozenset(), repr=False)
    locations: Path | None = None
    safe_words: frozenset[str] = SAFE_WORDS


def survey(files: Mapping[str, Path], search: Search, workers: int) -> Iterator[tuple[str, Examined]]:
    """Examine files and yield what was found in each, as they get ready.

    :param files: path by name; the name comes back.
    :raises DetectorUnavailable: when there is no detector.
    :raises PolicyError: when a file of the location library is not valid.
    """
    if search.locations:
        load_library(search.locations)
    results = {name: Examined() for name in files}
    waiting = dict.fromkeys(files, 1)
    with WorkerPool(min(workers, len(files) * 4)) as pool:
        for name, path in files.items():
            pool.submit(_task(name, path, 0, 1, search))
        for task, answer in pool.results():
            name, result = task["name"], results[task["name"]]
            _merge(result, answer)
            waiting[name] -= 1
            if task["first"] == 0 and not result.problem:
                chunk = min(max(FEWEST, -(-(result.total - 1) // workers)), MOST)
                for first in range(1, result.total, chunk):
                    pool.submit(_task(name, files[name], first, first + chunk, search))
                    waiting[name] += 1
            if waiting[name] == 0:
                result.found.sort(key=lambda found: (found.frame, found.box[1], found.box[0]))
                yield name, results.pop(name)


def _task(name: str, path: Path, first: int, stop: int, search: Search) -> Task:
    return {
        "do": "examine",
        "name": name,
        "path": str(path),
        "first": first,
        "stop": stop,
        "confidence": search.confidence,
        "known": sorted(search.known),
        "safe_words": sorted(search.safe_words),
        "locations": str(search.locations) if search.locations else None,
    }


def _merge(result: Examined, answer: Answer) -> None:
    if "held" in answer:
        result.problem = answer["held"]
        return
    part = examined_from_json(answer["ok"])
    result.total, result.reasons = part.total, part.reasons
    result.overlays = result.overlays | part.overlays
    result.found += part.found


def examined_from_json(entry: dict[str, Any]) -> Examined:
    """Read what a worker said, or what was written down of it."""
    found = [found_from_json(box) for box in entry["found"]]
    overlays = overlays_from_json(entry["overlays"])
    return Examined(entry["total"], found, overlays, entry["reasons"], entry.get("problem"))
