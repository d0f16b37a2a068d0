"""Where the files of `deidentified` are, and what their paths say: `<study>/<series>/<SOP instance>.dcm`, new UIDs."""

from __future__ import annotations

from pathlib import Path

from airlock.errors import TransferIncomplete
from airlock.ledger import InstanceUpdate
from airlock.workspace import Workspace


def path_of(workspace: Workspace, instance: InstanceUpdate) -> Path:
    """Return the file of an instance that is ready.

    The ledger's path is relative to the workspace or to `deidentified`.

    :raises TransferIncomplete: when the ledger has none, or one that leads elsewhere.
    """
    folder = workspace.folder("deidentified")
    parts = Path(instance.path or "").parts
    if parts[:1] == (folder.name,):
        parts = parts[1:]
    if not parts or ".." in parts or Path(*parts).is_absolute():
        raise TransferIncomplete(
            f"The ledger names no file below {folder.name} for {instance.id}. Clear the de-identification task."
        )
    return folder.joinpath(*parts)


def study_uid_of(workspace: Workspace, path: Path) -> str:
    """Return the new StudyInstanceUID."""
    return path.relative_to(workspace.folder("deidentified")).parts[0]


def series_uid_of(workspace: Workspace, path: Path) -> str:
    """Return the new SeriesInstanceUID."""
    return path.relative_to(workspace.folder("deidentified")).parts[1]


def sop_uid_of(instance: InstanceUpdate, path: Path) -> str:
    """Return the new SOPInstanceUID."""
    return instance.sop_instance_uid or path.stem
