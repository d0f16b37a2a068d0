"""The raw folder: received studies, `<StudyInstanceUID>/` with files or links at any depth.

FIONA's layout is `<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>` with links into an archive, and a
`<SeriesInstanceUID>.json` per series that is an index, not an image.
"""

from __future__ import annotations

import filecmp
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from airlock.dicomio.header import Category, UnreadableInstance, read_header
from airlock.dicomio.progress import Progress
from airlock.errors import StudyNotFound, TransferIncomplete
from airlock.ledger import InstanceState, InstanceUpdate
from airlock.request.model import UID_PATTERN
from airlock.workspace import link_or_copy

DUPLICATE = "duplicate"
CONFLICT = f"{Category.INVALID_DICOM}: several files of the study have its SOPInstanceUID, with different content"
NOT_A_FILE = f"{Category.INVALID_DICOM}: not a regular file"
_NAMED_IN_ERRORS = 10


@dataclass(frozen=True, repr=False)
class RawStudy:
    """A study in the raw folder.

    :param parent: `AIRLOCK_RAW`.
    :param uid: name of the study's folder. It is an original UID: never shown.
    """

    parent: Path
    uid: str

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.parent / self.uid

    def entries(self) -> list[str]:
        """Paths of everything but folders and series indexes, relative to the folder, in order of path.

        Links to folders are followed; a folder that was seen already is not entered again.
        """
        paths = (os.path.relpath(Path(folder, name), self.folder) for folder, files in self.folders() for name in files)
        return sorted((path for path in paths if not _is_series_index(path)), key=os.fsencode)

    def folders(self) -> Iterator[tuple[str, list[str]]]:
        """Yield every folder of the study, itself included, with the names of what is no folder in it."""
        seen: set[tuple[int, int]] = set()
        for folder, subfolders, files in os.walk(self.folder, followlinks=True):
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in seen:
                subfolders.clear()
            else:
                seen.add((status.st_dev, status.st_ino))
                yield folder, files


def _is_series_index(path: str) -> bool:
    return path.endswith(".json") and re.fullmatch(UID_PATTERN, path.removesuffix(".json")) is not None


def is_settled(study: RawStudy, idle_seconds: float) -> bool:
    """Whether the study is there and nothing in it changed for that long."""
    return bool(study.entries()) and time.time() - changed_at(study) >= idle_seconds


def changed_at(study: RawStudy) -> float:
    """When something in the study changed last, in seconds since 1970; 0 when it is not there."""
    now = time.time()
    # A time in the future comes from a wrong clock; it would never get old.
    return max((changed for changed in _changes(study) if changed <= now + 1), default=0.0)


def _changes(study: RawStudy) -> Iterator[float]:
    """Yield when each folder, link and file of a study changed last, in seconds since 1970."""
    for folder, files in study.folders():
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            for follow in (False, True):
                # A link may lead nowhere: the pull tells.
                with suppress(OSError):
                    yield path.stat(follow_symlinks=follow).st_mtime


def bring_in(
    study: RawStudy, target: Path, instance_id: Callable[[str], str], progress: Progress
) -> list[InstanceUpdate]:
    """Link or copy the study's files into the target folder as `<instance id>.dcm`; return what became of each.

    :param instance_id: pseudonymous id for a SOPInstanceUID, or for the relative path of a file that has none.
    :raises StudyNotFound: there is no such folder, or nothing is in it.
    :raises TransferIncomplete: there are links that lead nowhere, or the study changed meanwhile.
    """
    entries = study.entries()
    if not entries:
        raise StudyNotFound(
            f"{study.parent} has no folder with files for the study of this request. It may have been deleted, or "
            "never arrived: send it again from the PACS."
        )
    _refuse_dangling(study, entries, instance_id)
    intake = _Intake(study, target, instance_id)
    for done, entry in enumerate(entries, start=1):
        intake.take(entry)
        progress(done, len(entries))
    if study.entries() != entries:
        raise TransferIncomplete("The study changed in the raw folder while it was brought in. Retry when it is whole.")
    return list(intake.updates.values())


def _refuse_dangling(study: RawStudy, entries: list[str], instance_id: Callable[[str], str]) -> None:
    dangling = [entry for entry in entries if not (study.folder / entry).exists()]
    if not dangling:
        return
    named = ", ".join(f"{instance_id(e)} (line {n})" for n, e in enumerate(dangling[:_NAMED_IN_ERRORS], start=1))
    more = ", ..." if len(dangling) > _NAMED_IN_ERRORS else ""
    raise TransferIncomplete(
        f"{len(dangling)} of {len(entries)} entries of the study are links that lead nowhere: {named}{more}. Their "
        f"files were deleted, or their disk is not mounted. To list them in this order, run in {study.parent}: "
        "cd <StudyInstanceUID of the request> && find -L . -type l | LC_ALL=C sort"
    )


class _Intake:
    """Takes one file after the other, and tells duplicates."""

    def __init__(self, study: RawStudy, target: Path, instance_id: Callable[[str], str]) -> None:
        self._study = study
        self._target = target
        self._instance_id = instance_id
        self._first: dict[str, tuple[str, Path]] = {}
        self.updates: dict[str, InstanceUpdate] = {}

    def take(self, entry: str) -> None:
        source = self._study.folder / entry
        if not source.is_file():
            self._note(self._instance_id(entry), InstanceState.HELD, NOT_A_FILE, None)
            return
        size = source.stat().st_size
        sop_uid = sop_instance_uid_of(source)
        name = self._instance_id(sop_uid or entry)
        if sop_uid is None or sop_uid not in self._first:
            if sop_uid is not None:
                self._first[sop_uid] = (name, source)
            self._bring(source, name)
            self._note(name, InstanceState.RECEIVED, None, size)
            return
        first_name, first = self._first[sop_uid]
        name = self._instance_id(entry)
        if first.samefile(source) or filecmp.cmp(first, source, shallow=False):
            self._note(name, InstanceState.SKIPPED, DUPLICATE, size)
            return
        # Nobody but a person knows which of the two is right.
        self._bring(source, name)
        self._note(name, InstanceState.HELD, CONFLICT, size)
        self._note(first_name, InstanceState.HELD, CONFLICT, first.stat().st_size)

    def _bring(self, source: Path, name: str) -> None:
        target = self._target / f"{name}.dcm"
        # What a killed try left may be an earlier version of the file.
        if not (target.exists() and target.samefile(source)):
            link_or_copy(source, target)

    def _note(self, name: str, state: InstanceState, reason: str | None, size: int | None) -> None:
        self.updates[name] = InstanceUpdate(name, state, reason=reason, size=size)


def sop_instance_uid_of(path: Path) -> str | None:
    """Return the SOPInstanceUID of a file; None when it has none that can be read: screening holds it then."""
    try:
        return read_header(path)["sop_instance_uid"] or None
    except UnreadableInstance:
        return None
    except OSError as error:
        raise TransferIncomplete(
            f"A file of the study cannot be read ({error.strerror}). Give Airlock's user the right to read the raw "
            "folder and what its links lead to."
        ) from None
