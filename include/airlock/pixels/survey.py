"""Examine many files with several processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airlock.findings import Box, boxes_by_frame
from airlock.pixels.pool import Answer, Task, WorkerPool

CHUNK_FRAMES = 16
"""Frames of one task at least: a long cine is shared between the processes."""


@dataclass
class Examined:
    """What became of one file.

    :param total: number of frames; 0 when there are no pixels.
    :param frames: boxes by frame number, only frames that have any.
    :param reasons: header rules that made it suspicious.
    :param problem: why it could not be examined, free of patient data.
    """

    total: int = 0
    frames: dict[int, list[Box]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    problem: str | None = None


def survey(files: Mapping[str, Path], confidence: float, workers: int) -> Iterator[tuple[str, Examined]]:
    """Examine files and yield what was found in each, as they get ready.

    :param files: path by name; the name comes back.
    :param confidence: percent; see :class:`airlock.pixels.judge.Judge`.
    :raises DetectorUnavailable: when there is no detector.
    """
    results = {name: Examined() for name in files}
    waiting = dict.fromkeys(files, 1)
    with WorkerPool(min(workers, len(files) * 4)) as pool:
        for name, path in files.items():
            pool.submit(_task(name, path, 0, CHUNK_FRAMES, confidence))
        for task, answer in pool.results():
            name, result = task["name"], results[task["name"]]
            _merge(result, answer)
            waiting[name] -= 1
            if task["first"] == 0 and not result.problem:
                chunk = max(CHUNK_FRAMES, -(-(result.total - CHUNK_FRAMES) // (2 * workers)))
                for first in range(CHUNK_FRAMES, result.total, chunk):
                    pool.submit(_task(name, files[name], first, first + chunk, confidence))
                    waiting[name] += 1
            if waiting[name] == 0:
                yield name, results.pop(name)


def _task(name: str, path: Path, first: int, stop: int, confidence: float) -> Task:
    return {
        "do": "examine",
        "name": name,
        "path": str(path),
        "first": first,
        "stop": stop,
        "confidence": confidence,
    }


def _merge(result: Examined, answer: Answer) -> None:
    if "held" in answer:
        result.problem = answer["held"]
        return
    found = answer["ok"]
    result.total, result.reasons = found["total"], found["reasons"]
    result.frames.update(boxes_by_frame(found["frames"]))
