"""Journal: what was sent since the ledger was last told, so that a killed process sends nothing twice."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from airlock.workspace import Workspace

JOURNALS = "send*.journal"
"""Their names in the workspace, one per destination."""
_NOT_SENT = -1


@dataclass(frozen=True)
class Unrecorded:
    """What a killed process left in its journal.

    :param answered: status by instance id, for those that the peer answered.
    :param unanswered: instances that were sent, or about to be, when the process died.
    """

    answered: dict[str, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)


def journal_path(workspace: Workspace, destination: str) -> Path:
    """Return where the journal of a destination is."""
    # Two names of connections may look alike when they are made safe for a file's name.
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", destination)[:40]
    return workspace.root / f"send.{safe}.{hashlib.sha256(destination.encode()).hexdigest()[:8]}.journal"


class Journal:
    """A small file that is written before and after each instance, and emptied when the ledger knows.

    It survives the death of the process, not that of the machine: then instances are sent again, which is safe.

    :param path: the file.
    :param attempt: attempt of the transfer; what another attempt left is ignored.
    """

    def __init__(self, path: Path, attempt: int) -> None:
        self._path = path
        self.attempt = attempt
        self._in_doubt: dict[str, None] = {}
        self.left = unrecorded(path, attempt)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    @property
    def in_doubt(self) -> list[str]:
        """Instances that went out, and nobody knows what became of them."""
        return list(self._in_doubt)

    def sending(self, instance_id: str) -> None:
        """Note that an instance goes out now, or did and was not answered."""
        self._in_doubt[instance_id] = None
        self._write("sending", instance_id)

    def answered(self, instance_id: str, status: int | None) -> None:
        """Note the peer's answer; None when the instance was not sent after all."""
        del self._in_doubt[instance_id]
        self._write("answered", instance_id, str(_NOT_SENT if status is None else status))

    def recorded(self) -> None:
        """Forget all answers: the ledger knows them."""
        os.ftruncate(self._descriptor, 0)
        for instance_id in self._in_doubt:
            self._write("sending", instance_id)

    def _write(self, *words: str) -> None:
        os.write(self._descriptor, " ".join((str(self.attempt), *words)).encode() + b"\n")


def unrecorded(path: Path, attempt: int) -> Unrecorded:
    """Return what a killed process left in its journal; nothing when there is no journal.

    :param attempt: attempt of the transfer; what another attempt left is ignored.
    """
    answered: dict[str, int] = {}
    sending: list[str] = []
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        return Unrecorded()
    for line in text.splitlines(keepends=True):
        words = line.split()
        if not line.endswith("\n") or words[0] != str(attempt):
            continue
        if words[1] == "answered":
            answered[words[2]] = int(words[3])
        else:
            sending.append(words[2])
    return Unrecorded(answered, [instance for instance in dict.fromkeys(sending) if instance not in answered])
