"""Findings: where burned-in text was found in a transfer. The recognised text is never part of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from airlock.workspace import Workspace, write_atomically

Box = tuple[int, int, int, int]
"""`(x0, y0, x1, y1)` in pixels of the stored frame, the second corner outside the box."""

Overlays = dict[str, dict[int, list[Box]]]
"""Boxes in overlay planes: by group as four hexadecimal digits (`6000`), then by frame of the overlay, from 0. A group
without frames is an overlay that lies in unused bits of the pixels and is removed."""

Source = Literal["rule", "location", "ocr", "residue", "reviewer"]
"""What found a box: a header rule, the location library, the text detector, the search after the rewrite, a person."""

FILE_NAME = "findings.json"
RESIDUE_FILE = "residue.json"
"""In the folder of rewritten files: what the text detector still finds there."""

DISAGREEMENT_REASON = "Its header says that text is burned in, and none was found. Look at the original."
RESIDUE_REASON = (
    "After masking, the text detector still finds text in it. Look at the rewritten file; the boxes are in "
    "rewritten/residue.json of the transfer's workspace."
)
"""Why instances are held until a person has looked at them; a reviewer's answer lets them go on."""


@dataclass(frozen=True)
class Found:
    """One box, and why it is masked. What it says is never part of it.

    :param confidence: 0 to 100; of the text detector how sure it read the text, of other sources 100.
    :param matches_identifier: whether it seems to say something that the header knows of the patient.
    """

    frame: int
    box: Box
    source: Source
    confidence: float
    matches_identifier: bool = False


def boxes_by_frame(document: dict[str, Any]) -> dict[int, list[Box]]:
    """Read boxes by frame from JSON, where keys are text and boxes are lists."""
    return {int(n): [(b[0], b[1], b[2], b[3]) for b in boxes] for n, boxes in document.items()}


def found_from_json(entry: dict[str, Any]) -> Found:
    """Read one box with its source from JSON."""
    x0, y0, x1, y1 = entry["box"]
    return Found(entry["frame"], (x0, y0, x1, y1), entry["source"], entry["confidence"], entry["matches_identifier"])


def overlays_from_json(document: dict[str, Any]) -> Overlays:
    """Read boxes by overlay group and frame from JSON."""
    return {group: boxes_by_frame(frames) for group, frames in document.items()}


@dataclass(frozen=True)
class InstanceFindings:
    """What was found in one instance.

    :param frames: boxes by frame number, from 0.
    :param reasons: why the instance was looked at or flagged, by rule name (`BurnedInAnnotation`, `ocr`, ...).
    :param overlays: boxes in overlay planes.
    :param found: the boxes of `frames` one by one, with their source.
    """

    frames: dict[int, list[Box]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    overlays: Overlays = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)

    @property
    def boxes(self) -> int:
        """Number of boxes over all frames and overlays."""
        return sum(len(boxes) for frames in (self.frames, *self.overlays.values()) for boxes in frames.values())

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> InstanceFindings:
        """Read what was found from JSON; files of the first version have boxes and reasons only."""
        overlays = overlays_from_json(found.get("overlays", {}))
        details = [found_from_json(entry) for entry in found.get("found", [])]
        return cls(boxes_by_frame(found["frames"]), found["reasons"], overlays, details)


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
            instance_id: InstanceFindings.from_json(found) for instance_id, found in document["instances"].items()
        }
        return cls(document["examined"], instances, document["not_rewritten"])

    def write(self, path: Path) -> None:
        """Write a findings file."""
        write_atomically(path, json.dumps({"version": 2, **asdict(self)}, indent=1))
