"""The folders of one transfer, each written by exactly one step.

A step writes into `<folder>.partial` and renames it when it is complete, so that a folder without the suffix is
always whole. What a killed step left in the partial folder may be reused by its next try.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from airlock.errors import TransferIncomplete

Folder = Literal["incoming", "findings", "flagged", "review", "rewritten", "deidentified", "report"]


@dataclass(frozen=True)
class Workspace:
    """The folder of one transfer.

    :param root: `<AIRLOCK_HOME>/transfers/<transfer id>`.

    `review` is the one folder that grows: the gates say there what they ask, and the review page what a person drew.
    `incoming` and `rewritten` hold `<instance id>.dcm`, `deidentified` holds
    `<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm` with the new UIDs.
    """

    root: Path

    def folder(self, name: Folder) -> Path:
        """Path of a step's folder; it exists only when the step is complete."""
        return self.root / name

    def partial(self, name: Folder) -> Path:
        """Path of a step's unfinished folder."""
        return self.root / f"{name}.partial"

    def complete(self, name: Folder) -> bool:
        """Whether the step that writes this folder has finished."""
        return self.folder(name).is_dir()

    @contextmanager
    def writing(self, name: Folder) -> Iterator[Path]:
        """Yield the unfinished folder; rename it to its final name when the block ends without an error."""
        target, partial = self.folder(name), self.partial(name)
        partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield partial
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)

    def remove(self, *names: Folder) -> None:
        """Remove folders, finished or not."""
        for name in names:
            for path in (self.folder(name), self.partial(name)):
                shutil.rmtree(path, ignore_errors=True)

    def purge(self, *keep: str) -> None:
        """Remove the whole workspace, except files of these names; `*` stands for any letters."""
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)
            return
        for path in self.root.iterdir() if self.root.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif not any(fnmatchcase(path.name, pattern) for pattern in keep):
                path.unlink(missing_ok=True)


_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


@contextmanager
def disk_trouble_told() -> Iterator[None]:
    """Say of a disk that cannot be written what to do. Nothing half-written has a final name, so a retry goes on.

    :raises TransferIncomplete: in place of such an error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise TransferIncomplete(
            f"The workspace cannot be written ({error.strerror}). Make room below AIRLOCK_HOME, or give Airlock's user "
            "the right to write there. A retry goes on where this try stopped."
        ) from None


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`: a hard link where the file system allows it, else a copy.

    The target appears complete or not at all. Nothing may ever be written to either name afterwards.
    """
    part = target.with_name(f".{target.name}.part")
    with suppress(FileNotFoundError):
        part.unlink()
    resolved = source.resolve(strict=True)
    try:
        os.link(resolved, part)
    except OSError:
        shutil.copyfile(resolved, part)
    part.replace(target)


def write_atomically(target: Path, content: bytes | str) -> None:
    """Write a small file so that it appears complete or not at all, readable by the owner only."""
    data = content.encode() if isinstance(content, str) else content
    # Not the process id: two containers that share the folder can have the same.
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(target)
