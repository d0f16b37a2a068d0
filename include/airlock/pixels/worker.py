"""A process that examines, rewrites and compares images for the process that started it.

One JSON object per line: tasks on stdin, answers on stdout. A hostile file can take down this process, not its
parent; when the parent goes, this goes too.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from pydicom import config

from airlock.errors import DetectorUnavailable, InstanceNotUnderstood
from airlock.findings import boxes_by_frame, overlays_from_json

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer tasks; the argument is the process that this one must not outlive."""
    serve(int(sys.argv[1]))


def serve(parent: int) -> None:
    """Answer the tasks that come by descriptor 0, by descriptor 1, until none come any more.

    :param parent: process that this one must not outlive.
    """
    # Whoever ends a whole service signals all its processes. The step decides what becomes of its workers: a picture
    # whose worker dies is held.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    # Values that break rules of their VR are carried on as they are.
    config.settings.reading_validation_mode = config.IGNORE
    config.settings.writing_validation_mode = config.IGNORE
    # Codecs written in C print to stdout; only answers may go where the parent reads.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with open(0, encoding="utf-8", closefd=False) as tasks:
        for line in tasks:
            _say(answers, _answer(json.loads(line), lambda: _say(answers, {"alive": True})))


def _say(stream: TextIO, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


def _answer(task: dict[str, Any], alive: Callable[[], None]) -> dict[str, Any]:
    try:
        return {"ok": TASKS[task["do"]](task, alive)}
    except DetectorUnavailable as error:
        return {"unavailable": str(error)}
    except InstanceNotUnderstood as error:
        return {"held": str(error)}
    except Exception as error:  # noqa: BLE001 - only the class of an unexpected error is free of patient data
        return {"held": f"unexpected {type(error).__name__}"}


def _examine(task: dict[str, Any], alive: Callable[[], None]) -> dict[str, Any]:
    from airlock.pixels.decode import StoredImage  # noqa: PLC0415 - heavy; only some tasks need it
    from airlock.pixels.engine import load_engine  # noqa: PLC0415 - as above
    from airlock.pixels.inspection import inspect  # noqa: PLC0415 - as above

    image = StoredImage(Path(task["path"]))
    found = inspect(
        image,
        load_engine,
        confidence=task["confidence"],
        numbers=range(task["first"], min(task["stop"], image.frames)),
        known=frozenset(task["known"]),
        safe_words=frozenset(task["safe_words"]),
        locations=Path(task["locations"]) if task["locations"] else None,
        alive=alive,
    )
    return {"total": image.frames, **asdict(found)}


def _residue(task: dict[str, Any], alive: Callable[[], None]) -> dict[str, Any]:
    """Look again at the frames of a rewritten file that had text."""
    from airlock.pixels.decode import StoredImage  # noqa: PLC0415 - as above
    from airlock.pixels.detect import examine  # noqa: PLC0415 - as above
    from airlock.pixels.engine import load_engine  # noqa: PLC0415 - as above

    image = StoredImage(Path(task["path"]))
    found: list[dict[str, Any]] = []
    known, safe_words = frozenset(task["known"]), frozenset(task["safe_words"])
    for _, boxes in examine(image, load_engine(), task["confidence"], task["frames"], known, safe_words):
        alive()
        found += [asdict(box) for box in boxes]
    return {"found": found}


def _rewrite(task: dict[str, Any], _alive: Callable[[], None]) -> dict[str, Any]:
    from airlock.pixels.rewrite import rewrite_file  # noqa: PLC0415 - as above

    source, folder = Path(task["source"]), Path(task["folder"])
    overlays = overlays_from_json(task.get("overlays", {}))
    path, frames = rewrite_file(source, folder, boxes_by_frame(task["boxes"]), overlays)
    return {"path": str(path), "frames": frames}


def _check(task: dict[str, Any], _alive: Callable[[], None]) -> dict[str, Any]:
    from airlock.pixels.check import check_rewritten  # noqa: PLC0415 - as above

    boxes, overlays = boxes_by_frame(task["boxes"]), overlays_from_json(task.get("overlays", {}))
    return {"frames": check_rewritten(Path(task["before"]), Path(task["after"]), boxes, overlays)}


TASKS = {"examine": _examine, "residue": _residue, "rewrite": _rewrite, "check": _check}

if __name__ == "__main__":
    main()
