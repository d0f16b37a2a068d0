"""Keeps patient data out of logs and error texts: libraries quote dataset values in theirs.

What is particular to pydicom and pynetdicom is in :mod:`airlock.dicomio.quiet`.
"""

from __future__ import annotations

import errno
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airlock.errors import AirlockError, DiskFull, UnexpectedFailure

PACKAGE = Path(__file__).parent
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# SQLITE_READONLY, SQLITE_IOERR and SQLITE_FULL (https://sqlite.org/rescode.html); the rest of a code says more.
_SQLITE_DISK = {8, 10, 13}


def silence_loggers() -> None:
    """Switch off the log records of the libraries that handle datasets, pixels and URLs, in this process, for good."""
    # The URL of a DICOMweb request says which study, or which patient's.
    for name in ("pydicom", "pynetdicom", "PIL", "fontTools", "urllib3"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False


def place_of(error: BaseException) -> str:
    """Say where in Airlock's own code an error came up, as `folder/file.py:line`."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    last = (own or frames)[-1]
    return f"{Path(last.filename).parent.name}/{Path(last.filename).name}:{last.lineno}"


@contextmanager
def guarded() -> Iterator[None]:
    """Let Airlock's own errors pass; replace every other one by its kind and place.

    Log records of libraries, and all warnings, are off in this process from now on.

    :raises DiskFull: in place of an error of a disk, or of a database on it, that cannot be written.
    :raises UnexpectedFailure: in place of any other error that was not raised on purpose. Its text is dropped, because
        a library's message may quote a patient's data.
    """
    silence_loggers()
    warnings.simplefilter("ignore")
    try:
        yield
    except AirlockError:
        raise
    except Exception as error:  # noqa: BLE001 - this is the place that all others end in
        if _is_of_a_disk(error):
            raise DiskFull(
                f"A disk cannot be written, at {place_of(error)}: it is full, or read-only. Make room below "
                "AIRLOCK_HOME and where the databases are. It is tried again, and goes on where this try stopped."
            ) from None
        raise UnexpectedFailure(
            f"An unexpected {type(error).__name__} at {place_of(error)}. It is tried again by itself; "
            "if it stays, report it."
        ) from None


def _is_of_a_disk(error: Exception) -> bool:
    """Whether an error is that of a disk; SQLAlchemy keeps SQLite's own as `orig`."""
    code = getattr(getattr(error, "orig", error), "sqlite_errorcode", None)
    return getattr(error, "errno", None) in _DISK or (isinstance(code, int) and code & 0xFF in _SQLITE_DISK)
