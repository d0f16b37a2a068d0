"""Batch folders: a study and its request in one folder, which another program renames into place when it is complete.

    <AIRLOCK_PROC>/batches/<any name>/request.json     as in the drop folder; study_instance_uid may be left out
    <AIRLOCK_PROC>/batches/<any name>/...              the files of one study, at any depth

The files go to the raw folder, the request to the drop folder, and the batch's folder goes away. Whatever is killed in
between is repeated without harm: the request goes first and is the same again, `request.json` is removed last.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airlock.dicomio.header import UnreadableInstance, read_header
from airlock.errors import DuplicateRequest, InvalidRequest
from airlock.identity.keys import KeyRing
from airlock.ledger import Asked, Ledger
from airlock.request.archive import no_file_names
from airlock.request.drop import ask
from airlock.request.model import TransferRequest, validate_request
from airlock.settings import Settings
from airlock.workspace import write_atomically

REQUEST, PROBLEM = "request.json", "problem.json"
FAILED = "batches_fail"
UNFINISHED = (".part", ".tmp")


@dataclass
class Batches:
    """What came of a look at the batch folders.

    :param transfers: ids of the transfers that were requested, or known before.
    :param refused: why others were not, each reason with how often; free of patient data.
    """

    transfers: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


def take_batches(settings: Settings, ledger: Ledger, keys: KeyRing) -> Batches:
    """Request the transfers of the batches that are complete.

    One that cannot be used is moved to `<AIRLOCK_PROC>/batches_fail`, with the reason in `problem.json`.

    :raises RetryableError: when files cannot be moved.
    """
    result = Batches()
    for folder in _complete(settings.proc_folder / "batches", settings.settle_seconds):
        with no_file_names("A batch could not be taken"):
            try:
                request, files = _read(folder)
            except InvalidRequest as error:
                _put_away(folder, settings.proc_folder / FAILED, str(error))
                result.refused[str(error)] = result.refused.get(str(error), 0) + 1
                continue
            result.transfers.append(_take(folder, request, files, settings, ledger, keys))
    return result


def _complete(parent: Path, settle_seconds: float) -> Iterator[Path]:
    """Yield the batches to which nobody writes any more, oldest first."""
    if not parent.is_dir():
        return
    found = []
    for folder in parent.iterdir():
        if folder.name.startswith(".") or folder.name.endswith(UNFINISHED) or folder.is_symlink():
            continue
        if folder.is_dir():
            changed = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
            if time.time() - changed >= settle_seconds:
                found.append((changed, folder))
    yield from (folder for _, folder in sorted(found))


def _read(folder: Path) -> tuple[TransferRequest, list[Path]]:
    """Return the request and the files of a batch.

    :raises InvalidRequest: when it is not one study with one request.
    """
    try:
        document: Any = json.loads((folder / REQUEST).read_bytes())
    except FileNotFoundError:
        raise InvalidRequest(f"The batch has no {REQUEST}. Write it into the folder before it is renamed.") from None
    except (ValueError, RecursionError):
        raise InvalidRequest(f"The {REQUEST} of the batch is not JSON.") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"The {REQUEST} of the batch is not a JSON object.")
    files = sorted(path for path in folder.rglob("*") if path.name != REQUEST and not path.is_dir())
    if any(path.is_symlink() or not path.is_file() for path in files):
        raise InvalidRequest("The batch has something that is no file. Copy the files instead of linking to them.")
    studies = {study for path in files if (study := _study_of(path))}
    if len(studies) > 1:
        raise InvalidRequest("The batch holds several studies. Make a batch of each.")
    # What was moved already doesn't say it any more.
    named = document.get("study_instance_uid") or next(iter(studies), "")
    if studies - {named}:
        raise InvalidRequest("The request of the batch is for another study than the batch holds.")
    if document.get("source") not in (None, {"method": "raw"}):
        raise InvalidRequest("source: a batch brings its study itself. Leave it out.")
    request = validate_request({**document, "study_instance_uid": named, "source": {"method": "raw"}})
    if document.get("study_instance_uid") != named:
        # A repetition finds it here, when the files are gone.
        write_atomically(folder / REQUEST, json.dumps({**document, "study_instance_uid": named}))
    return request, files


def _study_of(path: Path) -> str:
    try:
        return read_header(path)["study_instance_uid"]
    except UnreadableInstance:
        # It goes along, and is held by screening.
        return ""


def _take(
    folder: Path, request: TransferRequest, files: list[Path], settings: Settings, ledger: Ledger, keys: KeyRing
) -> str:
    transfer_id = request.transfer_id(keys)
    if ledger.find(transfer_id) is None:
        # It may have been dropped by an earlier try.
        with suppress(DuplicateRequest):
            ask(request, settings, Asked("batch"))
    target = settings.raw_folder / request.study_instance_uid / "batches" / _name(folder)
    for file in files:
        place = target / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _move(file, place)
    (folder / REQUEST).unlink()
    shutil.rmtree(folder)
    return transfer_id


def _name(folder: Path) -> str:
    """Return what a batch is called in the raw folder: the same for the same folder."""
    return hashlib.sha256(os.fsencode(folder.name)).hexdigest()[:16]


def _move(file: Path, place: Path) -> None:
    """Move a file, also to another file system; a file of that name from an earlier batch stays beside it."""
    while place.exists():
        place = place.with_name(f"{place.name}_")
    part = place.with_name(f".{place.name}.part")
    shutil.move(file, part)
    part.rename(place)
    # A study counts as settled from when its last file came.
    os.utime(place)


def _put_away(folder: Path, failed: Path, reason: str) -> None:
    failed.mkdir(parents=True, exist_ok=True, mode=0o700)
    target, number = failed / folder.name, 1
    while target.exists():
        number += 1
        target = failed / f"{folder.name}_{number}"
    shutil.move(folder, target)
    write_atomically(target / PROBLEM, json.dumps({"error": reason}, indent=2) + "\n")
