"""Where request files end: FIONA's archive folders and names, but nothing is ever overwritten.

`transfers_done/<request file name>_ok_<YYYY-MM-DD_HH:MM>.log` is the request of a transfer that succeeded,
`transfers_fail/<request file name>_fail.log` of one that failed, with `..._fail_messages.log` beside it. What exists
already stays: the next archive of the same name gets `_2`, `_3`, ... before its suffix. All of them hold the
StudyInstanceUID and whatever else the request says, so only their owner can read them, and their names are not logged.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from airlock.errors import RetryableError
from airlock.request.store import StoredRequest
from airlock.workspace import write_atomically

DONE, FAIL = "transfers_done", "transfers_fail"
MAX_NAME_BYTES = 255
# Room for the longest suffix: `_duplicate_2026-01-31_23:59_99999.log`.
SUFFIX_BYTES = 40


@contextmanager
def no_file_names(what: str) -> Iterator[None]:
    """Turn an operating-system error, which names the file, into one that does not.

    :param what: what could not be done.
    :raises RetryableError: instead of any `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise RetryableError(
            f"{what} ({error.strerror or type(error).__name__}). It is tried again; check the space and the "
            "permissions of the request folders (AIRLOCK_PROC)."
        ) from None


def archive_done(proc_folder: Path, stored: StoredRequest) -> Path:
    """Keep the request of a transfer that succeeded.

    :param proc_folder: parent of the archive folders.
    :return: the archive.
    :raises RetryableError: when it could not be written.
    """
    folder, name = proc_folder / DONE, safe_name(stored.file_name)
    with no_file_names("The request could not be archived"):
        [path] = _reserve(folder, lambda mark: [f"{name}_ok_{_stamp()}{mark}.log"])
        _fill(path, stored.content)
    return path


def archive_failed(proc_folder: Path, stored: StoredRequest, messages: Mapping[str, Any]) -> Path:
    """Keep the request of a transfer that failed, and why.

    :param messages: FIONA's keys, such as `error`; free of patient data. `request` is added.
    :return: the archived request. Its messages are in the file beside it.
    :raises RetryableError: when it could not be written.
    """
    try:
        request: Any = json.loads(stored.content)
    except (ValueError, RecursionError):
        request = stored.content
    with no_file_names("The request could not be archived"):
        path, beside = _reserve_failed(proc_folder, stored.file_name)
        _fill(path, stored.content)
        _fill(beside, _json({**messages, "request": request}))
    return path


def reject(proc_folder: Path, file: Path, reason: str) -> Path | None:
    """Move a dropped file that is not a request to the failed ones, with the reason beside it.

    :param reason: free of patient data.
    :return: its new place; None when the file is gone.
    :raises RetryableError: when it could not be moved.
    """
    with no_file_names("A dropped file could not be moved to the failed ones"):
        path, beside = _reserve_failed(proc_folder, file.name)
        if not _move(file, path, beside):
            return None
        _fill(beside, _json({"error": reason, "request": None}))
    return path


def archive_duplicate(proc_folder: Path, file: Path) -> Path | None:
    """Move a dropped file away whose transfer exists already. Returns and raises as :func:`reject`."""
    folder, name = proc_folder / DONE, safe_name(file.name)
    with no_file_names("A dropped file could not be moved to the archive"):
        [path] = _reserve(folder, lambda mark: [f"{name}_duplicate_{_stamp()}{mark}.log"])
        return path if _move(file, path) else None


def safe_name(name: str, room: int = SUFFIX_BYTES) -> str:
    """Return a name that fits into a folder with a suffix: FIONA's, unless it is hostile or too long.

    :param room: bytes to leave for the suffix. A name that is cut ends with a digest of the whole.
    """
    clean = re.sub(r"[/\x00-\x1f\x7f]", "-", name)
    data = os.fsencode(clean)
    if len(data) <= MAX_NAME_BYTES - room:
        return clean
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    kept = data[: MAX_NAME_BYTES - room - len(digest) - 1].decode("utf-8", "ignore")
    return f"{kept}~{digest}"


def _stamp() -> str:
    """Local time, as FIONA has it."""
    return f"{datetime.now(UTC).astimezone():%Y-%m-%d_%H:%M}"


def _json(messages: Mapping[str, Any]) -> str:
    return json.dumps(messages, indent=2, sort_keys=True, default=str) + "\n"


def _reserve_failed(proc_folder: Path, file_name: str) -> tuple[Path, Path]:
    name = safe_name(file_name)
    path, beside = _reserve(
        proc_folder / FAIL, lambda mark: [f"{name}_fail{mark}.log", f"{name}_fail_messages{mark}.log"]
    )
    return path, beside


def _reserve(folder: Path, names: Callable[[str], list[str]]) -> list[Path]:
    """Make empty files that did not exist, so that no other process can take their names.

    :param names: from a mark (empty, `_2`, `_3`, ...) to the names that belong together.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in count(1):
        taken: list[Path] = []
        try:
            for name in names("" if number == 1 else f"_{number}"):
                os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                taken.append(folder / name)
        except FileExistsError:
            _remove(*taken)
            continue
        except OSError:
            _remove(*taken)
            raise
        return taken
    raise AssertionError("unreachable: there is always a next number")


def _fill(path: Path, content: str) -> None:
    """Put the content under a reserved name, at once."""
    # A request may hold unpaired surrogates; as JSON escapes they would survive, as UTF-8 they need a substitute.
    write_atomically(path, content.encode("utf-8", "backslashreplace"))


def _move(file: Path, path: Path, *beside: Path) -> bool:
    """Move a file onto a reserved name, also from another file system. When it fails, the reservation is undone.

    :return: False when the file is gone.
    """
    try:
        try:
            file.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            part = path.with_name(f".{secrets.token_hex(8)}.part")
            shutil.copyfile(file, part)
            part.replace(path)
            file.unlink()
    except FileNotFoundError:
        _remove(path, *beside)
        return False
    except OSError:
        _remove(path, *beside)
        raise
    with suppress(OSError):
        path.chmod(0o600)
    return True


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
