"""What a destination says besides the status, Error Comment (0000,0902) of PS3.7 annex C: for the person who looks.

It is the destination's own text, and may quote the dataset. So it is kept in the workspace, beside the files that it is
about, goes when they go, and gets into no ledger, log, error or message.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from airlock.workspace import Workspace

COMMENTS = "send.comments"
"""Name of the file in the workspace: a JSON object per line."""


@dataclass(frozen=True)
class Comment:
    """What a destination said of an instance. Its repr shows no text.

    :param status: status of the answer that it came with.
    """

    destination: str
    instance: str
    status: int
    text: str

    def __repr__(self) -> str:
        return f"Comment({self.destination!r}, {self.instance!r}, 0x{self.status:04X})"


def keep(workspace: Workspace, comment: Comment) -> None:
    """Add a comment."""
    line = json.dumps(asdict(comment)).encode() + b"\n"
    descriptor = os.open(workspace.root / COMMENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def comments(workspace: Workspace) -> dict[tuple[str, str], Comment]:
    """Return the latest comment of each destination on each instance."""
    return {(one.destination, one.instance): one for one in _read(workspace.root / COMMENTS)}


def _read(path: Path) -> Iterator[Comment]:
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return
    for line in lines:
        if line.endswith("\n"):  # a killed sender may leave half a line
            yield Comment(**json.loads(line))
