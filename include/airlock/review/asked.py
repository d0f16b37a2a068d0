"""Asked: what a gate asks of a person, kept in the workspace for the review page."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Literal, cast

from airlock.review.doubts import Doubts
from airlock.workspace import Workspace, write_atomically

Gate = Literal["review_findings", "review_masked", "release_to_research"]

RELEASE, MASK, QUARANTINE = "Release", "Mask and check again", "Quarantine"
OPTIONS: dict[Gate, list[str]] = {
    "review_findings": [RELEASE, MASK, QUARANTINE],
    "review_masked": [RELEASE, MASK, QUARANTINE],
    "release_to_research": [RELEASE, QUARANTINE],
}
REASONS = ("not given", "nothing identifies", "everything is masked", "something identifies", "cannot be judged")
"""Why a person answers so. A choice and no text, so that nobody can type a patient's name into Airflow."""

FILE_NAME = "asked.json"


@dataclass(frozen=True)
class Asked:
    """One question to a person.

    :param gate: task that asks.
    :param doubts: doubtful instances, and why.
    :param instances: every instance to show.
    :param boxes: rectangles in them.
    """

    gate: Gate
    doubts: Doubts = field(default_factory=dict)
    instances: list[str] = field(default_factory=list)
    boxes: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Numbers for Airflow and the ledger."""
        kinds = Counter(kind for kinds in self.doubts.values() for kind in kinds)
        named = {kind.replace(" ", "_"): number for kind, number in sorted(kinds.items())}
        return {"instances": len(self.instances), "boxes": self.boxes, "doubtful": len(self.doubts), **named}

    @classmethod
    def load(cls, workspace: Workspace) -> Asked | None:
        """Return the latest question; None when nothing was asked yet."""
        try:
            document = json.loads((workspace.folder("review") / FILE_NAME).read_text())
        except FileNotFoundError:
            return None
        return cls(
            cast(Gate, document["gate"]), cast(Doubts, document["doubts"]), document["instances"], document["boxes"]
        )

    def save(self, workspace: Workspace) -> None:
        """Write the question, instead of an earlier one."""
        folder = workspace.folder("review")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(folder / FILE_NAME, json.dumps(asdict(self), indent=1))
