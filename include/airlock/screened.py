"""What screening tells later steps about instances that go on."""

from __future__ import annotations

import json
from collections.abc import Iterable

from airlock.workspace import Workspace, write_atomically

FILE_NAME = "screened.json"


def write_not_rewritten(workspace: Workspace, instance_ids: Iterable[str]) -> None:
    """Write down whose pixels are left as they are because a rule of the project says so."""
    document = {"version": 1, "not_rewritten": sorted(instance_ids)}
    write_atomically(workspace.root / FILE_NAME, json.dumps(document, indent=1))


def read_not_rewritten(workspace: Workspace) -> frozenset[str]:
    """Return the ids of the instances whose pixels are left as they are; none when nothing was written down."""
    try:
        document = json.loads((workspace.root / FILE_NAME).read_text("utf-8"))
    except FileNotFoundError:
        return frozenset()
    return frozenset(document["not_rewritten"])
