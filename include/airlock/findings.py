"""Findings: where burned-in text was found in a transfer. The recognised text is never part of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from airlock.workspace import Workspace, write_atomically

Box = tuple[int, int, int, int]
"""`(x0, y0, x1, y1)` in pixels of the stored frame, the second corner outside the box."""

FILE_NAME = "findings.json"


def boxes_by_frame(document: dict[str, Any]) -> dict[int, list[Box]]:
    """Read boxes by frame from JSON, where keys are text and boxes are lists."""
    return {int(n): [(b[0], b[1], b[2], b[3]) for b in boxes] for n, boxes in document.items()}


@dataclass(frozen=True)
class InstanceFindings:
    """What was found in one instance.

    :param frames: boxes by frame number, from 0.
    :param reasons: why the instance was looked at or flagged, by rule name (`BurnedInAnnotation`, `ocr`, ...).
    """

    frames: dict[int, list[Box]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @property
    def boxes(self) -> int:
        """Number of boxes over all frames."""
        return sum(map(len, self.frames.values()))


@dataclass(frozen=True)
class Findings:
    """The findings of a transfer, by instance id. Only instances whose pixels must be rewritten are in it.

    :param examined: instances that the detector looked at.
    :param not_rewritten: instances with text that the project's policy leaves as they are.
    """

    examined: int = 0
    instances: dict[str, InstanceFindings] = field(default_factory=dict)
    not_rewritten: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, workspace: Workspace) -> Findings:
        """Read what the detection step wrote.

        :raises FileNotFoundError: when the step has not finished.
        """
        return cls.read(workspace.folder("findings") / FILE_NAME)

    @classmethod
    def read(cls, path: Path) -> Findings:
        """Read a findings file."""
        document = json.loads(path.read_text("utf-8"))
        instances = {
            instance_id: InstanceFindings(boxes_by_frame(found["frames"]), found["reasons"])
            for instance_id, found in document["instances"].items()
        }
        return cls(document["examined"], instances, document["not_rewritten"])

    def write(self, path: Path) -> None:
        """Write a findings file."""
        write_atomically(path, json.dumps({"version": 1, **asdict(self)}, indent=1))
