"""Corrections: the rectangles that a reviewer wants, as the review page keeps them in the workspace."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from airlock.findings import Box, boxes_by_frame
from airlock.workspace import Workspace, write_atomically

FILE_NAME = "corrections.json"


@dataclass(frozen=True)
class Correction:
    """What a reviewer wants done with one instance.

    :param frames: every rectangle of these frames, by frame number from 0; other frames keep what was found.
    :param hold: this instance alone is held, the others go on.
    """

    frames: dict[int, list[Box]] = field(default_factory=dict)
    hold: bool = False


@dataclass(frozen=True)
class Corrections:
    """What a reviewer drew, not yet applied.

    :param person: who saved it: a user name of Airflow's.
    :param instances: by instance id.
    :param digest: SHA-256 of the file; empty when there is none.
    """

    person: str = ""
    instances: dict[str, Correction] = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def load(cls, workspace: Workspace) -> Corrections:
        """Read what was saved and not applied yet; nothing when there is no such file."""
        try:
            content = _path(workspace).read_bytes()
        except FileNotFoundError:
            return cls()
        return cls.parse(content)

    @classmethod
    def parse(cls, content: bytes) -> Corrections:
        """Read the content of a file."""
        document = json.loads(content)
        instances = {
            name: Correction(boxes_by_frame(entry["frames"]), entry["hold"])
            for name, entry in document["instances"].items()
        }
        return cls(document["person"], instances, hashlib.sha256(content).hexdigest())

    def save(self, workspace: Workspace) -> str:
        """Write the file, instead of an earlier one; return its digest."""
        content = json.dumps({"version": 1, "person": self.person, "instances": _plain(self.instances)}, indent=1)
        _path(workspace).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(_path(workspace), content)
        return hashlib.sha256(content.encode()).hexdigest()

    def retire(self, workspace: Workspace) -> None:
        """Keep the file under another name: it was applied."""
        if self.digest:
            number = len(list(_path(workspace).parent.glob("applied-*.json"))) + 1
            _path(workspace).rename(_path(workspace).with_name(f"applied-{number:03}.json"))


def applied_before(workspace: Workspace) -> list[Corrections]:
    """Return the corrections that were applied, oldest first."""
    return [Corrections.parse(path.read_bytes()) for path in sorted(_path(workspace).parent.glob("applied-*.json"))]


def held_before(workspace: Workspace) -> set[str]:
    """Return the instances that a reviewer held by corrections that were applied, and did not let go since."""
    held: dict[str, bool] = {}
    for applied in applied_before(workspace):
        held |= {name: correction.hold for name, correction in applied.instances.items()}
    return {name for name, hold in held.items() if hold}


def _path(workspace: Workspace) -> Path:
    return workspace.folder("review") / FILE_NAME


def _plain(instances: dict[str, Correction]) -> dict[str, object]:
    return {name: asdict(correction) for name, correction in instances.items()}
