"""The drop folder: which files are whole, and what becomes of them.

A request file is taken in two moves: :func:`take` keeps its request by transfer id and enters it into the ledger;
when a run exists, :func:`clear` removes the file. Whatever is killed in between is repeated without harm.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from airlock.errors import DuplicateRequest, InvalidRequest, RetryableError
from airlock.identity.keys import KeyRing
from airlock.ledger import Asked, account
from airlock.request.archive import no_file_names, safe_name
from airlock.request.model import MAX_REQUEST_BYTES, TransferRequest, parse_request
from airlock.request.store import RequestStore, StoredRequest
from airlock.settings import Settings
from airlock.transfer import open_ledger


@dataclass(frozen=True)
class Accepted:
    """A dropped file that is a request.

    :param path: the file. Its name holds the StudyInstanceUID: never log it.
    :param known: whether this transfer was entered into the ledger before.
    :param mark: tells this content of the file from a later one.
    """

    path: Path
    transfer_id: str
    known: bool
    priority: Literal["low", "normal", "high"]
    mark: tuple[int, int, int]


@dataclass(frozen=True)
class Rejected:
    """A dropped file that cannot become a transfer.

    :param reason: what is wrong and what to do, free of patient data.
    """

    path: Path
    reason: str


def settled_files(drop_folder: Path, settle_seconds: float) -> list[Path]:
    """Return the request files that are written to the end, oldest first.

    Only regular files `*.json` count; hidden ones, symbolic links, folders, and names such as `.tmp` or `.part` are
    left alone.

    :param settle_seconds: a file that changed within this time is still being written.
    """
    now = time.time()
    found: list[tuple[int, str]] = []
    try:
        entries = os.scandir(drop_folder)
    except FileNotFoundError:
        return []
    with entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.endswith(".json"):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                # Gone, or not to be looked at now; the next look decides.
                continue
            if stat.S_ISREG(status.st_mode) and now - _changed(status, now) >= settle_seconds:
                found.append((status.st_mtime_ns, entry.name))
    return [drop_folder / name for _, name in sorted(found)]


def _changed(status: os.stat_result, now: float) -> float:
    """When a file last changed. A sender whose clock is ahead must not wait for ours."""
    return status.st_mtime if status.st_mtime <= now else min(status.st_ctime, now)


def take(path: Path, settings: Settings) -> Accepted | Rejected | None:
    """Accept a dropped file: keep its request and enter the transfer into the ledger. The file stays.

    :return: None when the file is gone.
    :raises RetryableError: when it cannot be read now.
    """
    try:
        content, status = _read(path)
        text = content.decode("utf-8-sig")
        request = parse_request(text)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return Rejected(path, "The request is not UTF-8 text. Write the file again as a whole.")
    except InvalidRequest as error:
        return Rejected(path, str(error))
    asked = Asked("file", account(status.st_uid))
    transfer_id, known = accept(request, StoredRequest(path.name, text, _arrived_at(status)), settings, asked)
    return Accepted(path, transfer_id, known, request.options.priority, _mark(status))


def accept(request: TransferRequest, stored: StoredRequest, settings: Settings, asked: Asked) -> tuple[str, bool]:
    """Keep a request and enter its transfer into the ledger, whatever door it came through.

    :param asked: noted when the transfer was not known before.
    :return: the transfer id, and whether the transfer was known before.
    """
    transfer_id = request.transfer_id(KeyRing.load(settings.key_path))
    RequestStore(settings.proc_folder).put(transfer_id, stored)
    # Last, so that every transfer in the ledger has its request.
    new = open_ledger(settings).register(transfer_id, stored.arrived_at, asked=asked)
    return transfer_id, not new


def clear(accepted: Accepted) -> bool:
    """Remove the file of an accepted request, once its run exists.

    :return: False when the file has been replaced since: the new one is a request of its own.
    :raises RetryableError: when it cannot be removed.
    """
    with no_file_names("A dropped file could not be removed"), suppress(FileNotFoundError):
        if _mark(accepted.path.lstat()) != accepted.mark:
            return False
        accepted.path.unlink()
    return True


def drop(request: TransferRequest, settings: Settings) -> Path:
    """Write a request into the drop folder, under FIONA's name, so that it appears complete or not at all.

    :raises DuplicateRequest: when a file of this name waits there already.
    :raises RetryableError: when it cannot be written.
    """
    stem = request.file_name.removesuffix(".json")
    target = settings.drop_folder / (safe_name(stem, room=len(".json")) + ".json")
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    with no_file_names("The request could not be written"):
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The group may read: whoever drops a request need not be the user that Airlock runs as.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as stream:
            stream.write(request.model_dump_json(indent=2, exclude_none=True) + "\n")
        try:
            # Unlike a rename, a link never replaces a file.
            os.link(part, target)
        except FileExistsError:
            raise DuplicateRequest(
                "The same request already waits in the drop folder. It starts by itself; look at `airlock status`."
            ) from None
        finally:
            part.unlink()
    return target


def ask(request: TransferRequest, settings: Settings, asked: Asked) -> str:
    """Write a request into the drop folder and enter its transfer into the ledger, with who asked; return its id.

    For doors that are part of Airlock. Raises as :func:`drop`.
    """
    path = drop(request, settings)
    try:
        text, status = path.read_text("utf-8"), path.stat()
    except FileNotFoundError:
        # The intake was faster: it has entered the transfer.
        transfer_id, known = request.transfer_id(KeyRing.load(settings.key_path)), True
    else:
        stored = StoredRequest(path.name, text, _arrived_at(status))
        transfer_id, known = accept(request, stored, settings, asked)
    if known:
        open_ledger(settings).note_asked(transfer_id, asked)
    return transfer_id


def _arrived_at(status: os.stat_result) -> datetime:
    """When a request arrived: the same for the same file, whoever looks."""
    return datetime.fromtimestamp(min(status.st_mtime, time.time()), UTC)


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    """Read a regular file, with one byte more than a request may have.

    :raises InvalidRequest: when it may not be read.
    :raises RetryableError: when reading fails for another reason.
    """
    try:
        # Neither wait for the writer of a pipe nor follow a link, should the file have been replaced by one.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InvalidRequest("The request is not a regular file. Write it again as one.")
            return stream.read(MAX_REQUEST_BYTES + 1), status
    except FileNotFoundError:
        raise
    except PermissionError:
        raise InvalidRequest("The request cannot be read. Give Airlock's user the right to read it.") from None
    except OSError as error:
        raise RetryableError(
            f"A dropped file cannot be read ({error.strerror}). It is tried again; check the drop folder's disk."
        ) from None


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
