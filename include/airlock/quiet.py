"""Keeps patient data out of logs and error texts: libraries quote dataset values in theirs.

What is particular to pydicom and pynetdicom is in :mod:`airlock.dicomio.quiet`.
"""

from __future__ import annotations

import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airlock.errors import AirlockError, UnexpectedFailure

PACKAGE = Path(__file__).parent


def silence_loggers() -> None:
    """Switch off the log records of the libraries that handle datasets and pixels, in this process, for good."""
    for name in ("pydicom", "pynetdicom", "PIL", "fontTools"):
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

    :raises UnexpectedFailure: in place of an error that was not raised on purpose. Its text is dropped, because a
        library's message may quote a patient's data.
    """
    silence_loggers()
    warnings.simplefilter("ignore")
    try:
        yield
    except AirlockError:
        raise
    except Exception as error:  # noqa: BLE001 - this is the place that all others end in
        raise UnexpectedFailure(
            f"An unexpected {type(error).__name__} at {place_of(error)}. It is tried again by itself; "
            "if it stays, report it."
        ) from None
